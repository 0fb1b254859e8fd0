"""BERT and other encoders of text."""

from spectrain.core import Role
from spectrain.network.families.family import Family, Rows

FAMILY = Family(
    name="BERT",
    models="BERT, RoBERTa, ELECTRA, DistilBERT, ALBERT, DeBERTa, ModernBERT, ESM; ViT, Whisper and "
    "wav2vec of transformers",
    names={
        Role.ATTENTION_Q: "query queries query_proj q_lin q_linear",
        Role.ATTENTION_K: "key keys key_proj k_lin k_linear",
        Role.ATTENTION_V: "value values value_proj v_lin v_linear",
        Role.ATTENTION_O: "dense output out_lin o_linear",
        Role.MLP_IN: "intermediate.dense lin1 intermediate_dense ffn wi",
        Role.MLP_OUT: "output.dense lin2 output_dense ffn_output wo",
        Role.HEAD: "classifier classification_head score logits output_projection decoder "
        "dense_prediction",
    },
    rows_of_type={"deberta": {"in_proj": Rows.GROUPED}},
    example={
        "bert.embeddings.word_embeddings.weight": ((32, 8), (Role.EMBEDDING,)),
        "bert.encoder.layer.0.attention.self.query.weight": ((8, 8), (Role.ATTENTION_Q,)),
        "bert.encoder.layer.0.attention.self.key.weight": ((8, 8), (Role.ATTENTION_K,)),
        "bert.encoder.layer.0.attention.self.value.weight": ((8, 8), (Role.ATTENTION_V,)),
        "bert.encoder.layer.0.attention.output.dense.weight": ((8, 8), (Role.ATTENTION_O,)),
        "bert.encoder.layer.0.attention.output.LayerNorm.weight": ((8,), (Role.NORM,)),
        "bert.encoder.layer.0.intermediate.dense.weight": ((24, 8), (Role.MLP_IN,)),
        "bert.encoder.layer.0.output.dense.weight": ((8, 24), (Role.MLP_OUT,)),
        "classifier.weight": ((3, 8), (Role.HEAD,)),
    },
)
