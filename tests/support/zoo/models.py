"""Tiny models of transformers, diffusers, peft and torch-geometric, from their configurations."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

Loss = Callable[[nn.Module], Tensor]
"""The loss of one training batch; the same at every call but for dropout."""

Config = dict[str, Any]

TEXT: Config = {
    "vocab_size": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
STACK: Config = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
}
USUAL: Config = {**TEXT, **STACK, "max_position_embeddings": 64}
GROUPED: Config = {**USUAL, "num_key_value_heads": 2}
EXPERTS: Config = {**GROUPED, "num_experts_per_tok": 2}
GPT: Config = {**TEXT, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
VISION: Config = {**STACK, "image_size": 16, "patch_size": 8}
SIDES: Config = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
}
T5: Config = {
    **{"vocab_size": 64, "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0},
    **{"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4},
}


def ids(vocabulary: int = 64) -> Tensor:
    return torch.arange(3, 27).reshape(2, 12) * 7 % (vocabulary - 3) + 3


def images(size: int = 16) -> Tensor:
    return torch.linspace(-1, 1, 2 * 3 * size * size).sin().reshape(2, 3, size, size)


def text(**more: Any) -> dict[str, Any]:
    return {"input_ids": ids(), "labels": ids(), **more}


def classes() -> dict[str, Any]:
    return {"input_ids": ids(), "labels": torch.tensor([0, 1])}


def pictures() -> dict[str, Any]:
    return {"pixel_values": images(), "labels": torch.tensor([0, 1])}


def transformer(
    name: str, batch: Callable[[], dict[str, Any]] = text, **config: Any
) -> Callable[[], tuple[nn.Module, Loss]]:
    """A model of transformers by its class, made from its configuration class."""

    def build() -> tuple[nn.Module, Loss]:
        import transformers

        made = getattr(transformers, name)
        model: nn.Module = made(made.config_class(**config))
        return model, lambda model: model(**batch()).loss

    return build


def clip() -> tuple[nn.Module, Loss]:
    from transformers import CLIPConfig, CLIPModel

    words = {**TEXT, **STACK, "max_position_embeddings": 16}
    config = CLIPConfig(text_config=words, vision_config=VISION, projection_dim=16)
    batch = {"input_ids": ids(), "pixel_values": images(), "return_loss": True}
    model: nn.Module = CLIPModel(config)
    return model, lambda model: model(**batch).loss


def unet() -> tuple[nn.Module, Loss]:
    model: nn.Module = import_module("diffusers").UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=12,
        attention_head_dim=4,
        norm_num_groups=4,
    )
    x, context = torch.linspace(-1, 1, 512).reshape(2, 4, 8, 8), torch.ones(2, 3, 12).cumsum(1)
    return model, lambda model: model(x, torch.tensor([1, 5]), context).sample.square().mean()


def lora(dora: bool = False) -> tuple[nn.Module, Loss]:
    from peft import LoraConfig, get_peft_model

    base, loss = transformer("LlamaForCausalLM", **GROUPED)()
    config = LoraConfig(r=2, target_modules=["q_proj", "v_proj"], use_dora=dora)
    return get_peft_model(base, config), loss


def lora_fused() -> tuple[nn.Module, Loss]:
    from peft import LoraConfig, get_peft_model

    base, loss = transformer("GPT2LMHeadModel", **GPT)()
    config = LoraConfig(r=2, target_modules=["c_attn"], fan_in_fan_out=True)
    return get_peft_model(base, config), loss


def graph(name: str, **options: Any) -> Callable[[], tuple[nn.Module, Loss]]:
    def build() -> tuple[nn.Module, Loss]:
        model: nn.Module = getattr(import_module("torch_geometric.nn"), name)(
            6, 16, 2, out_channels=3, **options
        )
        x = torch.linspace(-1, 1, 60).sin().reshape(10, 6)
        edges = torch.stack([torch.arange(10), torch.arange(10).roll(1)])
        labels = torch.arange(10) % 3
        return model, lambda model: nn.functional.cross_entropy(model(x, edges), labels)

    return build


def speech() -> dict[str, Any]:
    return {"input_features": torch.linspace(-1, 1, 320).reshape(2, 8, 20), "labels": ids()}


def sound() -> dict[str, Any]:
    wave = torch.linspace(0, 60, 2 * 400).sin().reshape(2, 400)
    return {"input_values": wave, "labels": torch.tensor([[3, 4, 5], [6, 7, 8]])}


MODELS: dict[str, Callable[[], tuple[nn.Module, Loss]]] = {
    "gpt2": transformer("GPT2LMHeadModel", **GPT),
    "bigcode": transformer("GPTBigCodeForCausalLM", **GPT),
    "codegen": transformer("CodeGenForCausalLM", **GPT, rotary_dim=4),
    "opt": transformer(
        "OPTForCausalLM",
        **{key: value for key, value in USUAL.items() if key != "intermediate_size"},
        ffn_dim=48,
        word_embed_proj_dim=16,
    ),
    "llama": transformer("LlamaForCausalLM", **GROUPED),
    "gemma2": transformer("Gemma2ForCausalLM", **GROUPED, head_dim=8),
    "phi": transformer("PhiForCausalLM", **USUAL),
    "phi3": transformer("Phi3ForCausalLM", **USUAL),
    "mpt": transformer(
        "MptForCausalLM", vocab_size=64, d_model=32, n_heads=4, n_layers=2, max_seq_len=64
    ),
    "neox": transformer("GPTNeoXForCausalLM", **USUAL),
    "bloom": transformer("BloomForCausalLM", **TEXT, hidden_size=32, n_layer=2, n_head=4),
    "falcon": transformer(
        "FalconForCausalLM",
        **{key: value for key, value in USUAL.items() if key != "intermediate_size"},
        new_decoder_architecture=True,
        num_kv_heads=2,
    ),
    "mixtral": transformer("MixtralForCausalLM", **EXPERTS, num_local_experts=4),
    "qwen2_moe": transformer(
        "Qwen2MoeForCausalLM",
        **EXPERTS,
        num_experts=4,
        moe_intermediate_size=16,
        shared_expert_intermediate_size=24,
    ),
    "gpt_oss": transformer("GptOssForCausalLM", **EXPERTS, num_local_experts=4, head_dim=8),
    "switch": transformer(
        "SwitchTransformersForConditionalGeneration",
        **T5,
        num_decoder_layers=2,
        num_sparse_encoder_layers=1,
        num_sparse_decoder_layers=1,
        num_experts=4,
    ),
    "deepseek": transformer(
        "DeepseekV3ForCausalLM",
        **USUAL,
        num_key_value_heads=4,
        moe_intermediate_size=16,
        n_routed_experts=4,
        num_experts_per_tok=2,
        n_group=2,
        topk_group=1,
        first_k_dense_replace=1,
        q_lora_rank=12,
        kv_lora_rank=10,
        qk_rope_head_dim=4,
        qk_nope_head_dim=6,
        v_head_dim=8,
        n_shared_experts=1,
    ),
    "mamba": transformer(
        "MambaForCausalLM", **TEXT, hidden_size=32, state_size=4, num_hidden_layers=2
    ),
    "mamba2": transformer(
        "Mamba2ForCausalLM",
        **TEXT,
        hidden_size=32,
        state_size=8,
        num_hidden_layers=2,
        num_heads=8,
        head_dim=8,
        n_groups=2,
        chunk_size=8,
    ),
    "jamba": transformer(
        "JambaForCausalLM",
        **EXPERTS,
        num_experts=4,
        attn_layer_period=2,
        attn_layer_offset=1,
        expert_layer_period=2,
        expert_layer_offset=1,
        mamba_d_state=4,
        mamba_dt_rank=4,
    ),
    "rwkv": transformer(
        "RwkvForCausalLM", **TEXT, hidden_size=32, num_hidden_layers=2, context_length=32
    ),
    "t5": transformer("T5ForConditionalGeneration", **T5, feed_forward_proj="gated-gelu"),
    "bart": transformer(
        "BartForConditionalGeneration",
        **{**TEXT, **SIDES, "max_position_embeddings": 64},
        decoder_start_token_id=2,
        forced_eos_token_id=2,
    ),
    "whisper": transformer(
        "WhisperForConditionalGeneration",
        speech,
        **{**TEXT, **SIDES},
        num_mel_bins=8,
        max_source_positions=10,
        max_target_positions=20,
        decoder_start_token_id=3,
        suppress_tokens=[],
        begin_suppress_tokens=[],
    ),
    "bert": transformer("BertForSequenceClassification", classes, **USUAL),
    "bert_masked": transformer("BertForMaskedLM", **USUAL),
    "roberta": transformer(
        "RobertaForSequenceClassification", classes, **{**USUAL, "pad_token_id": 1}
    ),
    "distilbert": transformer(
        "DistilBertForSequenceClassification",
        classes,
        **{**TEXT, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48},
    ),
    "electra": transformer(
        "ElectraForPreTraining",
        lambda: {"input_ids": ids(), "labels": ids() % 2},
        **USUAL,
        embedding_size=16,
    ),
    "albert": transformer("AlbertForMaskedLM", **USUAL, embedding_size=16),
    "modernbert": transformer(
        "ModernBertForMaskedLM", **{**USUAL, "cls_token_id": 1, "sep_token_id": 2}
    ),
    "vit": transformer("ViTForImageClassification", pictures, **VISION, num_labels=5),
    "swin": transformer(
        "SwinForImageClassification",
        pictures,
        image_size=16,
        patch_size=2,
        embed_dim=8,
        depths=[1, 2],
        num_heads=[2, 4],
        window_size=4,
        num_labels=5,
    ),
    "resnet": transformer(
        "ResNetForImageClassification",
        pictures,
        embedding_size=8,
        hidden_sizes=[8, 16],
        depths=[2, 2],
        layer_type="basic",
        num_labels=5,
    ),
    "convnext": transformer(
        "ConvNextForImageClassification",
        pictures,
        num_stages=2,
        hidden_sizes=[8, 16],
        depths=[1, 2],
        num_labels=5,
        patch_size=2,
        image_size=16,
    ),
    "wav2vec2": transformer(
        "Wav2Vec2ForCTC",
        sound,
        **{**STACK, "vocab_size": 16},
        conv_dim=(16, 16),
        conv_stride=(5, 2),
        conv_kernel=(10, 3),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
        mask_time_prob=0.0,
    ),
    "clip": clip,
    "unet": unet,
    "lora": lora,
    "dora": lambda: lora(dora=True),
    "lora_fused": lora_fused,
    "gcn": graph("GCN"),
    "gat": graph("GAT", heads=2),
    "sage": graph("GraphSAGE"),
}
