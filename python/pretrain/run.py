"""A run: data server, stages, checkpoints, log and sheets."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Union

import torch

import groundwell

from . import checkpoint, data, models, sampling, vocabulary
from .autoencoder import AutoencoderStage
from .config import Config, from_dict, load
from .diffusion import DiffusionStage
from .journal import Journal
from .optimizers import Average
from .parallel import Group

Stage = Union[AutoencoderStage, DiffusionStage]

_RANK, _MEETING = "GROUNDWELL_PRETRAIN_RANK", "GROUNDWELL_PRETRAIN_MEETING"
_START_SECONDS = 30.0


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    config: Path
    out: Path
    binaries: Path
    device: str
    #: Weights of another run to begin with.
    weights: Optional[Path]
    #: Stops with a checkpoint after so long; in minutes.
    minutes: Optional[float]
    #: Stops with a checkpoint before this step of all stages together.
    stop_before: Optional[int]


def export_checkpoint(folder: Path, to: Path) -> int:
    """Writes the averaged model of a run's newest checkpoint; returns the bytes of its weights.

    Raises :class:`checkpoint.CheckpointError` when there is none of the last stage.
    """
    saved = checkpoint.load(folder, "cpu")
    if saved is None or saved["stage"] != "diffusion":
        raise checkpoint.CheckpointError(f"{folder}: no checkpoint of text encoder and U-Net")
    config = from_dict(saved["config"])
    tokenizer = vocabulary.read(folder / "tokenizer")
    vae = models.autoencoder(config.model, config.data.image_size)
    vae.load_state_dict(saved["vae"])
    parts = [models.text_encoder(config.model, tokenizer), models.unet(config)]
    average = Average(parts, config.diffusion.ema_decay)
    average.load(saved["state"]["average"])
    average.copy_to(parts)
    return models.export(
        to, vae, parts[0], parts[1], folder / "tokenizer", tokenizer, config.model,
        saved["categories"],
    )  # fmt: skip


def slim(folder: Path, to: Path) -> int:
    """Writes what ``--from`` needs of a run's newest checkpoint; returns its bytes.

    A fifth of the whole: averaged weights in half precision, to be carried to another machine.
    """
    saved = checkpoint.load(folder, "cpu")
    if saved is None or saved["vae"] is None:
        raise checkpoint.CheckpointError(f"{folder}: no checkpoint with a finished autoencoder")
    state: dict[str, Any] = {}
    if saved["stage"] == "diffusion":
        average = saved["state"]["average"]
        state = {"average": {**average, "values": [v.half() for v in average["values"]]}}
    to.mkdir(parents=True, exist_ok=True)
    kept = {name: saved[name] for name in ("config", "categories", "stage", "vae")}
    checkpoint.save(to, {**kept, "state": state})
    return (to / "checkpoint.pt").stat().st_size


def _starting_weights(folder: Path, device: str) -> dict[str, Any]:
    """What ``--from`` begins with: a run's newest checkpoint, or a finished model directory."""
    if (folder / "model_index.json").is_file():
        parts = sampling.Parts.load(folder, device)
        modules = (parts.text, parts.unet)
        values = [p.detach() for module in modules for p in module.parameters()]
        return {
            "stage": "diffusion",
            "vae": parts.vae.state_dict(),
            "state": {"average": {"values": values}},
        }
    start = checkpoint.load(folder, device)
    if start is None:
        raise checkpoint.CheckpointError(
            f"{folder}: neither a checkpoint nor a model directory (model_index.json) is there"
        )
    return start


class Run:
    """One process of a run."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.config: Config = load(options.config, options.device)
        self.rank = int(os.environ.get(_RANK, "0"))
        self.journal = Journal(options.out if self.rank == 0 else None)
        self._started = time.monotonic()
        self._trains = self._wishes_stop = False
        self._elapsed = 0.0
        self._saved_at = self._sheet_at = time.monotonic()
        self._vae_state: Optional[dict[str, Any]] = None

    def main(self) -> None:
        """Trains until the end of the last stage, or until told to stop."""
        torch.set_num_threads(self.config.machine.threads)
        torch.set_float32_matmul_precision("high")
        if self.options.device == "cpu":
            # Its backward pass takes a quarter of a U-Net step; plain products a tenth of that.
            torch.backends.cuda.enable_flash_sdp(False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        with self._locked(), self._client() as client, self._peers() as group:
            self._train(client, group)

    def _stop(self, number: int, frame: Any) -> None:
        if not self._trains:
            raise SystemExit(128 + number)  # Nothing is lost yet; the daemon is stopped on the way.
        self._wishes_stop = True

    # Surroundings

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Refuses a second run in the same folder."""
        if self.rank > 0:
            yield
            return
        with (self.options.out / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise checkpoint.CheckpointError(
                    f"{self.options.out}: another run is under way there"
                ) from None
            yield

    @contextmanager
    def _client(self) -> Iterator[groundwell.Client]:
        """A client of the data server; rank 0 starts and stops it, and fills its store."""
        options, settings = self.options, self.config.data
        server = data.DataServer(options.binaries, options.out / "store", settings.workers)
        if self.rank > 0:
            with groundwell.connect(server.socket, timeout=120) as client:
                yield client
            return
        self._categories(settings.categories)
        client = server.start()
        try:
            started = time.monotonic()
            data.fill(
                client, self.categories, settings.scenes_per_category, settings.image_size,
                settings.seed,
            )  # fmt: skip
            self.held_out = data.held_out(
                options.binaries, options.out, self.categories, settings.held_out_per_category,
                settings.image_size, settings.seed + 1, settings.workers,
            )  # fmt: skip
            self.journal.say(
                f"{settings.scenes_per_category * len(self.categories)} scenes of "
                f"{len(self.categories)} categories ready after "
                f"{time.monotonic() - started:.0f} s"
            )
            yield client
        finally:
            client.close()
            server.stop()

    def _categories(self, names: list[str]) -> None:
        drawable = data.drawable_categories(self.options.binaries)
        missing = sorted(set(names) - set(drawable) - {"all"})
        if missing:
            raise checkpoint.CheckpointError(f"no drawings of {', '.join(missing)}")
        self.categories = drawable if names == ["all"] else list(names)
        unknown = sorted(set(self.config.data.weights) - set(self.categories))
        if unknown:
            raise checkpoint.CheckpointError(
                f"data.weights: '{unknown[0]}' is not a category of this run"
            )
        # All words from the beginning, so that a run on more categories can take over weights.
        folder = self.options.out / "tokenizer"
        if not (folder / "vocab.json").is_file():
            vocabulary.write(folder, drawable, self.config.model.text_positions)

    @contextmanager
    def _peers(self) -> Iterator[Group]:
        """The group of processes; rank 0 starts the others."""
        world = self.config.machine.processes
        if self.rank > 0:
            group = Group(self.rank, world, Path(os.environ[_MEETING]))
            self._categories(self.config.data.categories)
            settings = self.config.data
            self.held_out = data.held_out(
                self.options.binaries, self.options.out, self.categories,
                settings.held_out_per_category, settings.image_size, settings.seed + 1,
                settings.workers,
            )  # fmt: skip
            yield group
            group.close()
            return
        meeting = self.options.out / f"meeting-{os.getpid()}"
        meeting.unlink(missing_ok=True)
        peers = [
            subprocess.Popen(
                [sys.executable, "-m", "pretrain", *sys.argv[1:]],
                env={**os.environ, _RANK: str(rank), _MEETING: str(meeting)},
                start_new_session=True,
            )
            for rank in range(1, world)
        ]
        try:
            group = Group(0, world, meeting)
            yield group
            group.close()
            for peer in peers:
                peer.wait(_START_SECONDS)
        finally:
            for peer in peers:
                if peer.poll() is None:
                    peer.kill()
                    peer.wait()
            meeting.unlink(missing_ok=True)

    # Training

    def _train(self, client: groundwell.Client, group: Group) -> None:
        config, device = self.config, self.options.device
        saved = checkpoint.load(self.options.out, device)
        token = None
        if saved and "token" not in saved:
            raise checkpoint.CheckpointError(
                f"{self.options.out}: a slim checkpoint begins a new run, with --from"
            )
        if saved:
            changes = checkpoint.check_same_model(
                saved["config"], config.to_dict(), self.options.out
            )
            self.journal.say(f"continues {saved['stage']} at step {saved['state'].get('step')}")
            for change in changes:
                self.journal.say(f"changed: {change}")
            token, self._elapsed = saved["token"], saved["elapsed"]
            if client.status()["store"] != token["store"]:
                self.journal.say("another store than before: same model, other scenes from here")
                token = None
        settings = config.data
        source = data.SceneSource(
            client, self.categories, settings.stream_batch, settings.image_size, config.seed,
            token, group.rank, group.world, settings.weights,
        )  # fmt: skip
        self._token = source.token
        tokenizer = vocabulary.read(self.options.out / "tokenizer")
        start = None
        if not saved and self.options.weights:
            start = _starting_weights(self.options.weights, device)
            self.journal.say(f"begins with the weights of {self.options.weights}")
        vae = models.autoencoder(config.model, settings.image_size).to(device)
        origin = saved or start
        if origin and origin["vae"] is not None:
            self._vae_state = origin["vae"]
            vae.load_state_dict(self._vae_state)
            vae.requires_grad_(False)
        else:
            first = AutoencoderStage(config, source, self.held_out, group, device)
            if saved:
                first.load(saved["state"])
            if not self._work(first, group):
                return
            vae = first.result()
            group.broadcast([vae])  # Each rank measured the latents of its own scenes.
            self._vae_state = vae.state_dict()
            if self.rank == 0:
                self._finish_autoencoder(first)
            saved = None
        second = DiffusionStage(
            config, self.categories, tokenizer, vae, source, self.held_out, group, device
        )
        if saved and saved["stage"] == "diffusion":
            second.load(saved["state"])
        elif start and start["stage"] == "diffusion":
            second.begin_from(start["state"])
        if self._work(second, group):
            self.journal.say("all stages are done")
        if self.rank == 0:
            self._export(second, tokenizer)

    def _finish_autoencoder(self, stage: AutoencoderStage) -> None:
        reached = stage.validate()["psnr"]
        verdict = "" if reached >= stage.settings.minimum_psnr else ", which is too little"
        self.journal.say(
            f"autoencoder: {reached:.2f} dB on held-out scenes "
            f"(wanted: {stage.settings.minimum_psnr:g}){verdict}"
        )

    def _work(self, stage: Stage, group: Group) -> bool:
        """Trains a stage; false when it was told to stop before the end."""
        stage.begin()
        self._trains = True
        report = self.config.report
        self.journal.say(
            f"{stage.name}: step {stage.step} of {stage.steps}, batches of "
            f"{stage.batch_size * group.world}"
        )
        total, losses, mark = 0, torch.zeros((), device=self.options.device), time.monotonic()
        while stage.step < stage.steps:
            if self._reached_step(stage):
                self._save(stage)
                stage.close()
                return False
            loss, wish = stage.advance(int(self._wants_to_stop()))
            losses, total = losses + loss, total + 1
            if stage.step % report.log_steps == 0:
                speed = total * stage.batch_size * group.world / (time.monotonic() - mark)
                self._log(stage, float(losses) / total, speed, group.world)
                total, losses, mark = 0, torch.zeros_like(losses), time.monotonic()
            if stage.step % report.validation_steps == 0 and self.rank == 0:
                self._validate(stage)
            self._look(stage, group)
            if wish:
                self._save(stage)
                self._sheet(stage)
                self.journal.say(f"stopped at step {stage.step} of {stage.name}")
                stage.close()
                return False
        self._save(stage)
        self._sheet(stage)
        stage.close()
        return True

    def _reached_step(self, stage: Stage) -> bool:
        before = self.config.autoencoder.steps if stage.name == "diffusion" else 0
        limit = self.options.stop_before
        return limit is not None and before + stage.step >= limit

    def _wants_to_stop(self) -> bool:
        limit = self.options.minutes
        spent = (time.monotonic() - self._started) / 60
        return self._wishes_stop or (limit is not None and spent >= limit)

    def _look(self, stage: Stage, group: Group) -> None:
        """Checkpoint and sheet when it is time; the first rank's clock decides."""
        report, now = self.config.report, time.monotonic()
        if group.world > 1 and stage.step % report.log_steps:
            return
        late, old = now - self._sheet_at, now - self._saved_at
        due = (late >= report.sheet_minutes * 60, old >= report.checkpoint_minutes * 60)
        draws, saves = group.gather(due)[0]
        if saves:
            self._save(stage)
        if draws:
            self._sheet(stage)

    def _log(self, stage: Stage, loss: float, speed: float, world: int) -> None:
        factor = stage.rate_factor()
        self.journal.say(
            f"{stage.name} {stage.step}/{stage.steps} loss {loss:.5f} {speed:.1f}/s "
            f"rate {factor:.3f}"
        )
        self.journal.row(
            seconds=round(self._seconds(), 1), stage=stage.name, step=stage.step,
            samples=stage.step * stage.batch_size * world, loss=loss, samples_per_second=speed,
            rate_factor=factor,
        )  # fmt: skip
        if loss != loss:
            raise checkpoint.CheckpointError(
                f"{stage.name}: the loss is not a number at step {stage.step}; continue from "
                "checkpoint-previous.pt with a lower rate"
            )

    def _validate(self, stage: Stage) -> None:
        figures = stage.validate()
        text = " ".join(f"{name} {value:.4f}" for name, value in figures.items())
        self.journal.say(f"{stage.name} {stage.step}/{stage.steps} held-out: {text}")
        self.journal.row(
            seconds=round(self._seconds(), 1), stage=stage.name, step=stage.step, **figures
        )

    def _seconds(self) -> float:
        return self._elapsed + time.monotonic() - self._started

    def _save(self, stage: Stage) -> None:
        state = stage.state()
        self._saved_at = time.monotonic()
        if self.rank > 0:
            return
        checkpoint.save(
            self.options.out,
            {
                "config": self.config.to_dict(),
                "categories": self.categories,
                "stage": stage.name,
                "state": state,
                "vae": self._vae_state,
                "token": self._token,
                "elapsed": self._seconds(),
            },
        )

    def _sheet(self, stage: Stage) -> None:
        self._sheet_at = time.monotonic()
        if self.rank > 0 or self.config.report.sheet_prompts == 0:
            return
        image, labels = stage.sheet(self.config.report.sheet_prompts)
        path = self.options.out / "sheets" / f"{stage.name}-{stage.step:07d}.png"
        sampling.save_sheet(path, image, labels)

    def _export(self, stage: DiffusionStage, tokenizer: Any) -> None:
        parts = stage.parts()
        folder = self.options.out / "model"
        partial = self.options.out / "model.partial"
        shutil.rmtree(partial, ignore_errors=True)
        size = models.export(
            partial, parts.vae, parts.text, parts.unet, self.options.out / "tokenizer", tokenizer,
            self.config.model, self.categories,
        )  # fmt: skip
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
        count = models.parameter_count(parts.vae, parts.text, parts.unet)
        self.journal.say(f"wrote {folder.name}: {count} parameters, {size} bytes of weights")
