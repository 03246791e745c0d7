"""What the programs that break disks and processes share."""
