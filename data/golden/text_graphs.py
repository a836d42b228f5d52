"""Golden cases of text models whose weights are an ONNX graph, made of the cases of text_models.py.

usage: python text_graphs.py [CASE…]

Writes data/golden/text/onnx_CASE; without names, the ones that are kept. `CASE_positions` has the
input `position_ids` too. `CASE_quantised` has weights of 8 bits, quantised by ONNX Runtime, and its
answers are ONNX Runtime's for each text alone.
Needs torch, transformers, onnx and onnxruntime. Each model is exported as optimum does: the inputs
of its tokenizer, open axes, `last_hidden_state` or `logits`. ONNX Runtime must give PyTorch's
numbers for every text; the answers are then those of the case."""

import inspect, json, pathlib, shutil, sys, tempfile
import numpy as np, onnxruntime, torch, transformers
from onnxruntime.quantization import QuantType, quantize_dynamic
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
    "electra_three_positions": "onnx/model.onnx",
    "roberta_cls_positions": "onnx/model.onnx",
    "bert_two_quantised": "model.onnx",
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
    target = HERE / f"onnx_{case}"
    has_positions, is_quantised = case.endswith("_positions"), case.endswith("_quantised")
    case = case.removesuffix("_positions").removesuffix("_quantised")
    source = HERE / case
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
    first = model.config.pad_token_id + 1 if "roberta" in model.config.model_type else 0
    if has_positions:
        names.append("position_ids")
        sample["position_ids"] = positions(sample, first)
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
        if has_positions:
            inputs["position_ids"] = positions(inputs, first)
        with torch.no_grad():
            expected = wrapped(*[inputs[name] for name in names]).numpy()
        found = session.run(None, {name: inputs[name].numpy() for name in names})[0]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5)
    about["about"] += "; exported to ONNX"
    if is_quantised:
        about["about"] += " and quantised"
        about["runs"] = quantised(file, tokenizer, names, model.config.id2label)
    (target / "case.json").write_text(
        json.dumps(about, ensure_ascii=False, separators=(",", ":")) + "\n"
    )
    print(
        f"- `{target.name}`: {about['about']}; `{place}`, inputs {', '.join(names)}, ONNX Runtime "
        f"{onnxruntime.__version__}",
        flush=True,
    )


def positions(inputs, first):
    count = inputs["input_ids"].shape[1]
    return torch.arange(first, first + count).repeat(len(inputs["input_ids"]), 1)


def quantised(file, tokenizer, names, labels):
    """Quantises the graph and returns what it gives for two classes."""
    quantize_dynamic(file, file, weight_type=QuantType.QInt8)
    session = onnxruntime.InferenceSession(str(file))
    logits = []
    for text in TEXTS["texts"]:
        inputs = tokenizer(text, truncation=True, return_tensors="np")
        logits.append(session.run(None, {name: inputs[name] for name in names})[0][0])
    logits = np.array(logits, np.float64)
    columns = {f"margin_{labels[index]}": logits[:, index].tolist() for index in labels}
    columns["probability"] = (1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))).tolist()
    columns["prediction"] = [labels[int(index)] for index in logits.argmax(1)]
    return [{"arguments": ["--raw"], "expected": columns}]


for case in sys.argv[1:] or KEPT:
    try:
        export(case, KEPT.get(case, "onnx/model.onnx"))
    except AssertionError as error:
        shutil.rmtree(HERE / f"onnx_{case}")
        print(case, "is exported as something else:", " ".join(str(error).split())[:200])
