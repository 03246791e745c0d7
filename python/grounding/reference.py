"""The grounding module of "Open-vocabulary Object Segmentation with Diffusion Models" (Li et al., ICCV 2023).

Written anew from a description of Lipurple/Grounded-Diffusion @5680115 (ldm/models/seg_module.py), with the
names of its checkpoint. `rectified` is the published residual (a ReLU in place changes the shortcut); without
it the shortcut is the normalised input. Batches may be larger than 1: queries of one picture never see another.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Shape:
    """Levels are (inputs, outputs), coarsest first."""

    levels: tuple = ((15360, 16), (14080, 32), (8320, 64), (5120, 128))
    text: int = 768
    width: int = 512
    heads: int = 8
    layers: int = 3
    inner: int = 2048
    patch: int = 4
    detail: int = 1
    mask: int = 240
    rectified: bool = True


class SpectralConv(nn.Module):
    """3x3 convolution with its weight over its singular value, as BigGAN-PyTorch computes it."""

    def __init__(self, channels, eps=1e-4):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(channels))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)
        self.register_buffer("u0", torch.randn(1, channels))
        self.register_buffer("sv0", torch.ones(1))
        self.eps = eps

    def normalised(self):
        matrix = self.weight.view(self.weight.shape[0], -1)
        with torch.no_grad():
            right = F.normalize(self.u0 @ matrix, eps=self.eps)
            left = F.normalize(right @ matrix.t(), eps=self.eps)
            if self.training:
                self.u0.copy_(left)
        value = torch.squeeze(right @ matrix.t() @ left.t())
        if self.training:
            with torch.no_grad():
                self.sv0.fill_(value)
        return self.weight / value

    def forward(self, x):
        return F.conv2d(x, self.normalised(), self.bias, padding=1)


class MixBlock(nn.Module):
    def __init__(self, channels, rectified):
        super().__init__()
        self.conv1, self.conv2 = SpectralConv(channels), SpectralConv(channels)
        for number in (1, 2):
            self.register_buffer(f"stored_mean{number}", torch.zeros(channels))
            self.register_buffer(f"stored_var{number}", torch.ones(channels))
        self.rectified = rectified

    def forward(self, x):
        x = F.batch_norm(x, self.stored_mean1, self.stored_var1, None, None, self.training, 0.1, 1e-4)
        a = F.relu(x)
        y = self.conv1(a)
        y = F.batch_norm(y, self.stored_mean2, self.stored_var2, None, None, self.training, 0.1, 1e-4)
        y = self.conv2(F.relu(y))
        return y + (a if self.rectified else x)


class DecoderLayer(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.self_attn = nn.MultiheadAttention(shape.width, shape.heads, bias=False)
        self.multihead_attn = nn.MultiheadAttention(shape.width, shape.heads, bias=False)
        self.linear1 = nn.Linear(shape.width, shape.inner)
        self.linear2 = nn.Linear(shape.inner, shape.width)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(shape.width) for _ in range(3))

    def forward(self, x, tokens):
        """`x` [queries, width] of one picture, `tokens` [tokens, width]."""
        a = self.norm1(x)
        x = x + self.self_attn(a, a, a, need_weights=False)[0]
        x = x + self.multihead_attn(self.norm2(x), tokens, tokens, need_weights=False)[0]
        return x + self.linear2(F.relu(self.linear1(self.norm3(x))))


class Perceptron(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


class Decoder(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(shape) for _ in range(shape.layers))


def resized(x, size):
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


class GroundingModule(nn.Module):
    NAMES = ("low", "mid", "high", "highest")

    def __init__(self, shape=Shape()):
        super().__init__()
        self.shape = shape
        self.names = self.NAMES[-len(shape.levels):]
        channels = shape.levels[0][1]
        for name, (inputs, outputs) in zip(self.names, shape.levels):
            self.add_module(f"{name}_feature_conv", nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False)))
        for name, (_, outputs) in list(zip(self.names, shape.levels))[1:]:
            channels += outputs
            self.add_module(f"{name}_feature_mix_conv", MixBlock(channels, shape.rectified))
        self.transfromer_decoder = Decoder(shape)
        self.mlp = Perceptron((shape.width, shape.width, shape.width, shape.mask))
        self.to_k = nn.Linear(channels * shape.patch**2, shape.width, bias=False)
        self.to_q = nn.Linear(shape.text, shape.width, bias=False)
        if shape.detail > 1:
            self.detail = nn.Linear(channels, shape.detail**2 * shape.mask)

    def fused(self, levels):
        """`levels`: per level a list of [batch, channels, height, width], coarsest first."""
        sizes = [blocks[0].shape[-2:] for blocks in levels]
        sizes = sizes[1:] + sizes[-1:]
        # Resize every block, join, convolve: the paper's order.
        maps = [getattr(self, f"{name}_feature_conv")(torch.cat([resized(b, size) for b in blocks], 1))
                for name, blocks, size in zip(self.names, levels, sizes)]
        x = maps[0]
        for name, level, size in list(zip(self.names, maps, sizes))[1:]:
            x = getattr(self, f"{name}_feature_mix_conv")(torch.cat([resized(x, size), level], 1))
        return x

    def forward(self, levels, queries, size=None):
        """Logits, one [queries, height, width] per picture."""
        x = self.fused(levels)
        tokens = self.to_k(F.unfold(x, self.shape.patch, stride=self.shape.patch).transpose(1, 2))
        pixels = x
        if self.shape.detail > 1:
            side = self.shape.detail
            batch, _, height, width = x.shape
            y = self.detail(x.permute(0, 2, 3, 1)).view(batch, height, width, side, side, self.shape.mask)
            pixels = y.permute(0, 5, 1, 3, 2, 4).reshape(batch, self.shape.mask, height * side, width * side)
        if size is not None:
            pixels = resized(pixels, size)
        results = []
        for picture, query in enumerate(queries):
            q = self.to_q(query)
            for layer in self.transfromer_decoder.layers:
                q = layer(q, tokens[picture])
            results.append(torch.einsum("nc,chw->nhw", self.mlp(q), pixels[picture]))
        return results


def mask_loss(logits, targets, weights, kind):
    """Per mask [queries, pixels]: cross-entropy (mean), Dice (p = 2, smooth 1), or both."""
    p = torch.sigmoid(logits)
    entropy = (F.binary_cross_entropy_with_logits(logits, targets, reduction="none") * weights).sum(1) / weights.sum(1)
    product = (weights * p * targets).sum(1)
    squares = (weights * (p**2 + targets**2)).sum(1)
    dice = 1 - (2 * product + 1) / (squares + 1)
    return {"bce": entropy, "dice": dice, "bce+dice": entropy + dice}[kind]
