"""Golden cases of text models whose weights are an ONNX graph, made of the cases of text_models.py.

usage: python text_graphs.py [CASE…]

Writes data/golden/text/onnx_CASE; without names, the ones that are kept.
Needs torch, transformers, onnx and onnxruntime. Each model is exported as optimum does: the inputs
of its tokenizer, open axes, `last_hidden_state` or `logits`. ONNX Runtime must give PyTorch's
numbers for every text; the answers are then those of the case."""

import inspect, json, pathlib, shutil, sys, tempfile
import numpy as np, onnxruntime, torch, transformers
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedTokenizerFast,
)

HERE = pathlib.Path(__file__).parent / "text"
# In the root of the directory, as `optimum-cli export onnx` writes it, or in `onnx`, as
# sentence-transformers does.
KEPT = {
    "bert_mean": "onnx/model.onnx",
    "roberta_cls": "model.onnx",
    "bert_reranking": "onnx/model.onnx",
    "bert_entities": "model.onnx",
    "deberta_labels": "model.onnx",
}
TEXTS = json.loads((HERE / "texts.json").read_text())


class Exported(torch.nn.Module):
    """The model with its inputs by position."""

    def __init__(self, model, names, output):
        super().__init__()
        self.model, self.names, self.output = model, names, output

    def forward(self, *inputs):
        return getattr(self.model(**dict(zip(self.names, inputs))), self.output)


def export(case, place):
    source, target = HERE / case, HERE / f"onnx_{case}"
    if not (source / "model" / "model.safetensors").exists():
        return print(case, "has no encoder's weights")
    about = json.loads((source / "case.json").read_text())
    folder = source / "model"
    architecture = AutoConfig.from_pretrained(folder).architectures[0]
    head = next(
        (
            h
            for end, h in [
                ("ForSequenceClassification", AutoModelForSequenceClassification),
                ("ForTokenClassification", AutoModelForTokenClassification),
            ]
            if architecture.endswith(end)
        ),
        AutoModel,
    )
    model = head.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    words = about["tokenizer"] == "wordpiece"
    marks = (
        dict(pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]")
        if words
        else dict(pad_token="<pad>", unk_token="<unk>", cls_token="<s>", sep_token="</s>")
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(HERE / "tokenizers" / f"{about['tokenizer']}.json"),
        model_max_length=min(48, settings.get("model_max_length", 48)),
        model_input_names=["input_ids", "token_type_ids", "attention_mask"]
        if words
        else ["input_ids", "attention_mask"],
        **marks,
    )
    takes = inspect.signature(model.forward).parameters
    names = [
        name
        for name in ["input_ids", "attention_mask", "token_type_ids"]
        if name in tokenizer.model_input_names and name in takes
    ]
    output = "last_hidden_state" if head is AutoModel else "logits"
    wrapped = Exported(model, names, output).eval()
    sample = tokenizer(
        ["the quick brown fox jumps", "she sells"], padding=True, return_tensors="pt"
    )
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder, target / "model", ignore=shutil.ignore_patterns("*.safetensors"))
    for name in ["modules.json"]:
        # Modules with weights of their own keep them.
        for module in (
            json.loads((folder / name).read_text())[1:] if (folder / name).exists() else []
        ):
            for weights in (folder / module["path"]).glob("*.safetensors"):
                shutil.copy(weights, target / "model" / module["path"])
    file = target / "model" / place
    file.parent.mkdir(exist_ok=True)
    axes = {name: {0: "batch_size", 1: "sequence_length"} for name in names}
    axes[output] = (
        {0: "batch_size"}
        if head is AutoModelForSequenceClassification
        else {0: "batch_size", 1: "sequence_length"}
    )
    torch.onnx.export(
        wrapped,
        tuple(sample[name] for name in names),
        str(file),
        input_names=names,
        output_names=[output],
        dynamic_axes=axes,
        opset_version=17,
        dynamo=False,
    )
    session = onnxruntime.InferenceSession(str(file))
    for text in [(text,) for text in TEXTS["texts"]] + [tuple(pair) for pair in TEXTS["pairs"]]:
        inputs = tokenizer(*text, truncation=True, return_tensors="pt")
        if inputs["input_ids"].shape[1] == 0:
            continue
        with torch.no_grad():
            expected = wrapped(*[inputs[name] for name in names]).numpy()
        found = session.run(None, {name: inputs[name].numpy() for name in names})[0]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5)
    about["about"] += "; exported to ONNX"
    (target / "case.json").write_text(
        json.dumps(about, ensure_ascii=False, separators=(",", ":")) + "\n"
    )
    print(
        f"- `onnx_{case}`: {about['about']}; `{place}`, inputs {', '.join(names)}, ONNX Runtime "
        f"{onnxruntime.__version__}",
        flush=True,
    )


for case in sys.argv[1:] or KEPT:
    try:
        export(case, KEPT.get(case, "onnx/model.onnx"))
    except AssertionError as error:
        shutil.rmtree(HERE / f"onnx_{case}")
        print(case, "is exported as something else:", " ".join(str(error).split())[:200])
