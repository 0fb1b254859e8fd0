"""Networks of images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from support.architectures.building import (
    HEADS,
    HIDDEN,
    WIDTH,
    LayerNorm2d,
    Tree,
    chain,
    fused,
    images,
    layers,
    mlp,
)


class LayerScale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


def vit() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Timm's names: patches by convolution, a class token, layer scale, a classifier."""

    def block() -> nn.Module:
        def forward(module: Tree, x: Tensor) -> Tensor:
            x = x + module.ls1(module.attn(module.norm1(x)))
            return x + module.mlp(module.norm2(x))

        return Tree(
            forward,
            norm1=nn.LayerNorm(WIDTH),
            attn=Tree(
                fused("qkv", "proj"),
                qkv=nn.Linear(WIDTH, 3 * WIDTH),
                proj=nn.Linear(WIDTH, WIDTH),
                num_heads=HEADS,
            ),
            ls1=LayerScale(),
            norm2=nn.LayerNorm(WIDTH),
            mlp=Tree(mlp("fc1", "fc2"), fc1=nn.Linear(WIDTH, HIDDEN), fc2=nn.Linear(HIDDEN, WIDTH)),
        )

    def forward(module: Tree, x: Tensor) -> Tensor:
        patches = module.patch_embed.proj(x).flatten(2).mT
        x = torch.cat((module.cls_token.expand(len(x), -1, -1), patches), 1) + module.pos_embed
        return module.head(module.norm(module.blocks(x))[:, 0])

    return Tree(
        forward,
        patch_embed=Tree(chain, proj=nn.Conv2d(3, WIDTH, 4, stride=4)),
        cls_token=nn.Parameter(torch.randn(1, 1, WIDTH)),
        pos_embed=nn.Parameter(torch.randn(1, 5, WIDTH)),
        blocks=layers(block),
        norm=nn.LayerNorm(WIDTH),
        head=nn.Linear(WIDTH, 10),
    ), (images(),)


def convolutions() -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Groups, strides, dilation, paddings, transposition and the norms of images."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding="same", dilation=2),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, (3, 2), stride=(2, 1), padding=(2, 1), groups=4, padding_mode="reflect"),
        nn.GroupNorm(2, 8),
        nn.ConvTranspose2d(8, 6, 3, stride=2, output_padding=1),
        LayerNorm2d(6),
        nn.Conv2d(6, 6, 1, groups=6, bias=False),
        nn.InstanceNorm2d(6, affine=True),
        nn.ConvTranspose2d(6, 4, 2, groups=2),
        nn.PReLU(4),
        nn.Flatten(2),
        nn.Conv1d(4, 5, 4, stride=3, padding=1, padding_mode="circular"),
        nn.BatchNorm1d(5),
        nn.ConvTranspose1d(5, 2, 3),
        nn.Unflatten(2, (3, 1, -1)),
        nn.Conv3d(2, 3, (2, 1, 3), dilation=(1, 1, 2), padding="valid"),
    ), (images(),)
