"""Golden cases of text models: small random models of every architecture, and what transformers and
sentence-transformers say of them.

usage: python text_models.py [CASE…]

Writes data/golden/text in its own directory; all cases, or those named.
Needs torch, transformers, sentence-transformers and tokenizers. Weights are seeded and kept in half
precision; the answers are computed in single precision from what is kept. Tokenizers are trained
here on a few lines and shared between the cases."""

import json, pathlib, shutil, sys, tempfile
import torch, transformers, sentence_transformers, tokenizers
from tokenizers import (
    Tokenizer,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    decoders,
    trainers,
)
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedTokenizerFast,
    pipeline,
)
import transformers as t
from sentence_transformers import SentenceTransformer, CrossEncoder

try:
    from sentence_transformers.sentence_transformer.modules import Pooling
    from sentence_transformers.base.modules import Transformer, Dense, Normalize
    from sentence_transformers.sentence_transformer.modules import LayerNorm, StaticEmbedding
except ImportError:
    from sentence_transformers.models import (
        Pooling,
        Transformer,
        Dense,
        Normalize,
        LayerNorm,
        StaticEmbedding,
    )
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent / "text"
WORDS = "\n".join(
    [
        "the quick brown fox jumps over the lazy dog while many people in "
        "Berlin and New York read letters from Ada Lovelace",
        "a review of this product says that it is good but too expensive "
        "for what it does she sells sea shells by the sea shore",
        "prices rose by 12 percent in 2024 and fell again in May according to "
        "the Bank of England's own figures nothing else was said",
        "does anybody know how to return an order that never arrived "
        "please write to support and wait for an answer from Paris",
        "Müller wohnt in der Straße von München und fährt über Köln "
        "東京 は 日本 の 首都 です привет мир naïve café coöperate",
    ]
)
TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "",
    "a",
    "Ada Lovelace lived in Berlin and New York, not in Paris!",
    "   blanks   and\ttabs\nand lines  ",
    "naïve café — coöperate, “quotes” and … dots",
    "東京は日本の首都です。",
    "emoji 👩‍👩‍👧‍👦 and 🇩🇪 flags 😀",
    "привет мир",
    "Müller fährt über Köln",
    "e\u0301 decomposed, \u200bzero width, \ufeffmark, nul\u0000byte",
    "how to return an order",
    " ".join(["nothing else was said by the Bank of England"] * 40),
    "x" * 300,
    "[CLS] a literal [SEP] token and <s> another </s> <pad> [PAD]",
    "prices rose by 12 percent in 2024",
    "does anybody know how to return an order that never arrived please write to support and wait",
    "!!! ??? ...",
    "UPPER lower MiXeD",
    "she sells sea shells by the sea shore " * 3,
]
PAIRS = [
    [TEXTS[i], TEXTS[j]]
    for i, j in [(0, 3), (11, 16), (1, 0), (12, 13), (2, 1), (8, 9), (16, 12), (7, 6)]
]
MOST = 48


def corpus():
    return (WORDS.split("\n") * 3) + [text for text in TEXTS[:8]]


def wordpiece():
    tok = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    tok.normalizer = normalizers.BertNormalizer(lowercase=True)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tok.train_from_iterator(
        corpus(),
        trainers.WordPieceTrainer(
            vocab_size=420,
            special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
            show_progress=False,
        ),
    )
    tok.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)]
    )
    tok.decoder = decoders.WordPiece()
    return PreTrainedTokenizerFast(
        tokenizer_object=tok,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=MOST,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def bytelevel():
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.train_from_iterator(
        corpus(),
        trainers.BpeTrainer(
            vocab_size=420,
            special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tok.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), True, False)
    tok.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tok,
        pad_token="<pad>",
        unk_token="<unk>",
        cls_token="<s>",
        sep_token="</s>",
        mask_token="<mask>",
        model_max_length=MOST,
        model_input_names=["input_ids", "attention_mask"],
    )


def unigram():
    tok = Tokenizer(models.Unigram())
    tok.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(tokenizers.Regex(" {2,}"), " ")]
    )
    tok.pre_tokenizer = pre_tokenizers.Metaspace()
    tok.train_from_iterator(
        corpus(),
        trainers.UnigramTrainer(
            vocab_size=400,
            special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
            unk_token="<unk>",
            show_progress=False,
        ),
    )
    tok.post_processor = processors.TemplateProcessing(
        "<s> $A </s>", "<s> $A </s> </s> $B </s>", [("<s>", 0), ("</s>", 2)]
    )
    tok.decoder = decoders.Metaspace()
    return PreTrainedTokenizerFast(
        tokenizer_object=tok,
        pad_token="<pad>",
        unk_token="<unk>",
        cls_token="<s>",
        sep_token="</s>",
        mask_token="<mask>",
        model_max_length=MOST,
        model_input_names=["input_ids", "attention_mask"],
    )


def kept(kind, **tokens):
    """The tokenizer that the other cases have: training one anew gives another."""
    return PreTrainedTokenizerFast(
        tokenizer_file=str(HERE / "tokenizers" / f"{kind}.json"), model_max_length=MOST, **tokens
    )


KINDS = {"wordpiece": wordpiece, "bytelevel": bytelevel, "unigram": unigram}
if sys.argv[1:]:
    words = dict(
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
    marks = dict(
        pad_token="<pad>",
        unk_token="<unk>",
        cls_token="<s>",
        sep_token="</s>",
        mask_token="<mask>",
        model_input_names=["input_ids", "attention_mask"],
    )
    KINDS = {
        "wordpiece": lambda: kept("wordpiece", **words),
        "bytelevel": lambda: kept("bytelevel", **marks),
        "unigram": lambda: kept("unigram", **marks),
    }
TOKENIZERS = {}
SMALL = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48)
SIZES = {
    "bert": (
        "wordpiece",
        t.BertConfig,
        dict(SMALL, max_position_embeddings=64, type_vocab_size=2, pad_token_id=0),
    ),
    "roberta": (
        "bytelevel",
        t.RobertaConfig,
        dict(SMALL, max_position_embeddings=66, type_vocab_size=1, pad_token_id=1),
    ),
    "xlm-roberta": (
        "unigram",
        t.XLMRobertaConfig,
        dict(SMALL, max_position_embeddings=66, type_vocab_size=1, pad_token_id=1),
    ),
    "distilbert": (
        "wordpiece",
        t.DistilBertConfig,
        dict(
            dim=32, n_layers=2, n_heads=4, hidden_dim=48, max_position_embeddings=64, pad_token_id=0
        ),
    ),
    "mpnet": ("bytelevel", t.MPNetConfig, dict(SMALL, max_position_embeddings=66, pad_token_id=1)),
    "electra": (
        "wordpiece",
        t.ElectraConfig,
        dict(SMALL, embedding_size=24, max_position_embeddings=64, pad_token_id=0),
    ),
    "albert": (
        "wordpiece",
        t.AlbertConfig,
        dict(
            SMALL,
            num_hidden_layers=4,
            num_hidden_groups=2,
            inner_group_num=1,
            embedding_size=16,
            max_position_embeddings=64,
            pad_token_id=0,
        ),
    ),
    "deberta-v2": (
        "unigram",
        t.DebertaV2Config,
        dict(
            SMALL,
            max_position_embeddings=64,
            relative_attention=True,
            position_buckets=8,
            norm_rel_ebd="layer_norm",
            share_att_key=True,
            pos_att_type="p2c|c2p",
            position_biased_input=False,
            type_vocab_size=0,
            layer_norm_eps=1e-7,
            max_relative_positions=-1,
            pad_token_id=1,
        ),
    ),
    "deberta-v2-plain": (
        "unigram",
        t.DebertaV2Config,
        dict(
            SMALL,
            max_position_embeddings=64,
            relative_attention=True,
            position_buckets=-1,
            norm_rel_ebd="none",
            share_att_key=False,
            pos_att_type=["c2p", "p2c"],
            position_biased_input=True,
            type_vocab_size=0,
            max_relative_positions=32,
            embedding_size=24,
            pad_token_id=1,
        ),
    ),
    "modernbert": (
        "bytelevel",
        t.ModernBertConfig,
        dict(
            SMALL,
            num_hidden_layers=4,
            max_position_embeddings=256,
            local_attention=8,
            pad_token_id=1,
            bos_token_id=0,
            eos_token_id=2,
            cls_token_id=0,
            sep_token_id=2,
        ),
    ),
    "nomic_bert": (
        "wordpiece",
        t.NomicBertConfig,
        dict(SMALL, max_position_embeddings=64, pad_token_id=0),
    ),
}


def randomise(model, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(
                noise * 0.2
                if parameter.dim() > 1
                else (
                    1 + noise * 0.2
                    if "norm" in name.lower() and name.endswith("weight")
                    else noise * 0.2
                )
            )
            parameter.copy_(parameter.half().float())
    return model.eval()


def made(architecture, seed, head, folder, **more):
    kind, config, sizes = SIZES[architecture]
    if kind not in TOKENIZERS:
        TOKENIZERS[kind] = KINDS[kind]()
    tokenizer = TOKENIZERS[kind]
    model = randomise(head.from_config(config(vocab_size=len(tokenizer), **sizes, **more)), seed)
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return (
        kind,
        head.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval(),
        tokenizer,
    )


def rounded(value):
    if isinstance(value, float):
        return float(f"{value:.8g}")
    return [rounded(v) for v in value] if isinstance(value, list) else value


CASES = []


def keep(name, kind, folder, arguments, expected, about):
    target = HERE / name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(
        folder,
        target / "model",
        ignore=shutil.ignore_patterns(
            "tokenizer.json", "special_tokens_map.json", "README.md", "training_args.bin"
        ),
    )
    shared = HERE / "tokenizers" / f"{kind}.json"
    shared.parent.mkdir(parents=True, exist_ok=True)
    if not sys.argv[1:]:
        shutil.copy(folder / "tokenizer.json", shared)
    cases = {
        "tokenizer": kind,
        "about": about,
        "runs": [
            {"arguments": a, "expected": {k: rounded(v) for k, v in e.items()}}
            for a, e in zip(arguments, expected)
        ],
    }
    (target / "case.json").write_text(
        json.dumps(cases, ensure_ascii=False, separators=(",", ":")) + "\n"
    )
    CASES.append(f"- `{name}`: {about}")
    print(
        name,
        sum(f.stat().st_size for f in target.rglob("*") if f.is_file()) // 1024,
        "KiB",
        flush=True,
    )


def case(function):
    """Makes the case only if it is named, or none is."""
    return lambda name, *rest, **more: (
        function(name, *rest, **more) if not sys.argv[1:] or name in sys.argv[1:] else None
    )


@case
def embedding(
    name,
    architecture,
    seed,
    pooling,
    about,
    dense=None,
    normalize=False,
    prompts=None,
    default_prompt=None,
    include_prompt=True,
    runs=((),),
    **more,
):
    with tempfile.TemporaryDirectory() as temporary:
        folder, saved = pathlib.Path(temporary) / "base", pathlib.Path(temporary) / "saved"
        kind, model, _ = made(architecture, seed, AutoModel, folder, **more)
        transformer = Transformer(
            str(folder),
            max_seq_length=MOST,
            model_kwargs={"dtype": torch.float32, "attn_implementation": "eager"},
        )
        modules = [
            transformer,
            Pooling(model.config.hidden_size, pooling_mode=pooling, include_prompt=include_prompt),
        ]
        if dense:
            torch.manual_seed(seed)
            modules.append(
                Dense(
                    modules[-1].get_sentence_embedding_dimension(),
                    dense[0],
                    activation_function=dense[1],
                )
            )
        if normalize:
            modules.append(Normalize())
        encoder = SentenceTransformer(
            modules=modules, device="cpu", prompts=prompts, default_prompt_name=default_prompt
        )
        encoder.save(str(saved), create_model_card=False)
        # The weights as they are kept, in half precision.
        weights = next(saved.glob("model.safetensors"))
        shutil.copy(folder / "model.safetensors", weights)
        encoder = SentenceTransformer(
            str(saved),
            device="cpu",
            model_kwargs={"dtype": torch.float32, "attn_implementation": "eager"},
        )
        for module in encoder:
            module.float()
        answers = [
            encoder.encode(
                TEXTS,
                batch_size=1,
                prompt_name=options.get("prompt"),
                prompt=options.get("prompt-text"),
                truncate_dim=options.get("dimensions"),
                convert_to_numpy=True,
            )
            for options in map(dict, runs)
        ]
        arguments = [
            [part for key, value in options for part in (f"--{key}", str(value))]
            for options in runs
        ]
        keep(
            name,
            kind,
            saved,
            arguments,
            [{"embedding": a.astype(float).tolist()} for a in answers],
            about,
        )


@case
def hidden(name, architecture, seed, about):
    """A base model without modules.json: mean pooling, as sentence-transformers does it."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        kind, model, tokenizer = made(architecture, seed, AutoModel, folder)
        rows = []
        for text in TEXTS:
            with torch.no_grad():
                out = model(
                    **tokenizer(text, truncation=True, return_tensors="pt")
                ).last_hidden_state[0]
            rows.append(out.mean(0).double().tolist())
        keep(name, kind, folder, [["--task", "embedding"]], [{"embedding": rows}], about)


def logits_of(model, tokenizer, texts, pairs=False):
    rows = []
    for text in texts:
        inputs = (
            tokenizer(*text, truncation=True, return_tensors="pt")
            if pairs
            else tokenizer(text, truncation=True, return_tensors="pt")
        )
        with torch.no_grad():
            rows.append(model(**inputs).logits[0])
    return torch.stack(rows)


@case
def classification(
    name, architecture, seed, labels, about, problem="single_label_classification", **more
):
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        kind, model, tokenizer = made(
            architecture,
            seed,
            AutoModelForSequenceClassification,
            folder,
            id2label=dict(enumerate(labels)),
            label2id={l: i for i, l in enumerate(labels)},
            problem_type=problem,
            **more,
        )
        logits = logits_of(model, tokenizer, TEXTS)
        expected = {}
        if problem == "regression":
            expected = {"prediction": logits[:, 0].tolist(), "margin": logits[:, 0].tolist()}
        else:
            expected |= {f"margin_{label}": logits[:, i].tolist() for i, label in enumerate(labels)}
            if problem == "multi_label_classification":
                p = torch.sigmoid(logits)
                expected["prediction"] = [
                    [l for i, l in enumerate(labels) if row[i] >= 0.5] for row in p
                ]
            else:
                p = torch.softmax(logits, -1)
                expected["prediction"] = [labels[i] for i in logits.argmax(-1).tolist()]
            if len(labels) == 2 and problem == "single_label_classification":
                expected["probability"] = p[:, 1].tolist()
            else:
                expected |= {
                    f"probability_{label}": p[:, i].tolist() for i, label in enumerate(labels)
                }
        keep(name, kind, folder, [["--raw"]], [expected], about)


@case
def reranking(name, architecture, seed, about, **more):
    with tempfile.TemporaryDirectory() as temporary:
        folder, saved = pathlib.Path(temporary) / "base", pathlib.Path(temporary) / "saved"
        kind, _, _ = made(
            architecture, seed, AutoModelForSequenceClassification, folder, num_labels=1, **more
        )
        encoder = CrossEncoder(str(folder), device="cpu", model_kwargs={"dtype": torch.float32})
        encoder.save_pretrained(str(saved))
        shutil.copy(folder / "model.safetensors", saved / "model.safetensors")
        encoder = CrossEncoder(
            str(saved),
            device="cpu",
            model_kwargs={"dtype": torch.float32, "attn_implementation": "eager"},
        )
        scores = encoder.predict(PAIRS, batch_size=1)
        keep(
            name,
            kind,
            saved,
            [["--text-pair", "other"]],
            [{"prediction": scores.astype(float).tolist()}],
            about,
        )


@case
def entities(name, architecture, seed, labels, about):
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        kind, model, tokenizer = made(
            architecture,
            seed,
            AutoModelForTokenClassification,
            folder,
            id2label=dict(enumerate(labels)),
            label2id={l: i for i, l in enumerate(labels)},
        )
        arguments, expected = [], []
        for strategy in ["none", "simple", "first", "average", "max"]:
            run = pipeline(
                "token-classification",
                model=model,
                tokenizer=tokenizer,
                aggregation_strategy=strategy,
                device=-1,
            )
            rows = []
            for text in TEXTS:
                found = run(text) if text else []
                rows.append(
                    [
                        {
                            "word": e["word"],
                            "entity_group": e.get("entity_group", e.get("entity")),
                            "score": float(e["score"]),
                            "start": int(e["start"]),
                            "end": int(e["end"]),
                        }
                        for e in found
                    ]
                )
            arguments.append(["--aggregation", strategy])
            expected.append(
                {"entities": [[{k: rounded(v) for k, v in e.items()} for e in row] for row in rows]}
            )
        keep(name, kind, folder, arguments, expected, about)


@case
def modules(name, architecture, seed, about, behind):
    """A sentence-transformers model whose modules behind the pooling are these, by the width of its
    vectors."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, saved = pathlib.Path(temporary) / "base", pathlib.Path(temporary) / "saved"
        kind, model, _ = made(architecture, seed, AutoModel, folder)
        transformer = Transformer(
            str(folder),
            max_seq_length=MOST,
            model_kwargs={"dtype": torch.float32, "attn_implementation": "eager"},
        )
        torch.manual_seed(seed)
        more = behind(model.config.hidden_size)
        for module in more:
            randomise(module, seed + 1)
        encoder = SentenceTransformer(
            modules=[transformer, Pooling(model.config.hidden_size, pooling_mode="mean"), *more],
            device="cpu",
        )
        encoder.save(str(saved), create_model_card=False)
        shutil.copy(folder / "model.safetensors", next(saved.glob("model.safetensors")))
        encoder = SentenceTransformer(
            str(saved),
            device="cpu",
            model_kwargs={"dtype": torch.float32, "attn_implementation": "eager"},
        )
        for module in encoder:
            module.float()
        answers = encoder.encode(TEXTS, batch_size=1, convert_to_numpy=True)
        keep(name, kind, saved, [[]], [{"embedding": answers.astype(float).tolist()}], about)


@case
def static(name, kind, seed, about, is_model2vec=False):
    """A table of vectors, as sentence-transformers and as model2vec save it."""
    with tempfile.TemporaryDirectory() as temporary:
        saved = pathlib.Path(temporary)
        if kind not in TOKENIZERS:
            TOKENIZERS[kind] = KINDS[kind]()
        generator = torch.Generator().manual_seed(seed)
        tokenizer = TOKENIZERS[kind]
        table = (torch.randn((len(tokenizer), 16), generator=generator) * 0.2).half().float()
        encoder = SentenceTransformer(
            modules=[StaticEmbedding(tokenizer, embedding_weights=table), Normalize()],
            device="cpu",
            prompts={"query": "read "},
        )
        encoder.save(str(saved), create_model_card=False)
        if is_model2vec:
            rows = torch.randint(0, 40, (len(tokenizer),), generator=generator)
            save_file(
                {
                    "embeddings": table[:40].contiguous(),
                    "mapping": rows,
                    "weights": torch.rand(len(tokenizer), generator=generator, dtype=torch.float64),
                },
                saved / "model.safetensors",
            )
        # The shared file's cut at some tokens counts here, so the model is read with that file.
        shutil.copy(HERE / "tokenizers" / f"{kind}.json", next(saved.rglob("tokenizer.json")))
        encoder = SentenceTransformer(str(saved), device="cpu")
        runs = [{}, {"prompt_name": "query"}]
        answers = [
            encoder.encode(TEXTS, batch_size=4, convert_to_numpy=True, **run) for run in runs
        ]
        keep(
            name,
            kind,
            saved,
            [[], ["--prompt", "query"]],
            [{"embedding": a.astype(float).tolist()} for a in answers],
            about,
        )


@case
def single(name, architecture, seed, about, activation=None, problem=None):
    """One label: as the pipeline of transformers scores texts, or a cross-encoder with its own
    activation pairs."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, saved = pathlib.Path(temporary) / "base", pathlib.Path(temporary) / "saved"
        kind, model, tokenizer = made(
            architecture, seed, AutoModelForSequenceClassification, folder, num_labels=1
        )
        if activation is None:
            run = pipeline("text-classification", model=model, tokenizer=tokenizer, device=-1)
            scores = [run(text, truncation=True)[0]["score"] for text in TEXTS]
            keep(name, kind, folder, [[]], [{"prediction": scores}], about)
            return
        encoder = CrossEncoder(
            str(folder),
            device="cpu",
            model_kwargs={"dtype": torch.float32},
            activation_fn=activation,
        )
        encoder.save_pretrained(str(saved))
        shutil.copy(folder / "model.safetensors", saved / "model.safetensors")
        encoder = CrossEncoder(
            str(saved),
            device="cpu",
            model_kwargs={"dtype": torch.float32, "attn_implementation": "eager"},
        )
        keep(
            name,
            kind,
            saved,
            [["--text-pair", "other"]],
            [{"prediction": encoder.predict(PAIRS, batch_size=1).astype(float).tolist()}],
            about,
        )


@case
def settings(
    name, architecture, seed, about, tokenizer_config=None, sentence_file=None, sentence_config=None
):
    """A sentence-transformers model whose settings contradict tokenizer.json, as directories of the
    hub do."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        kind, model, _ = made(architecture, seed, AutoModel, folder)
        shutil.copy(HERE / "tokenizers" / f"{kind}.json", folder / "tokenizer.json")
        put = lambda path, value: (
            path.parent.mkdir(exist_ok=True),
            path.write_text(json.dumps(value, indent=2)),
        )
        put(
            folder / "modules.json",
            [
                {
                    "idx": i,
                    "name": str(i),
                    "path": path,
                    "type": f"sentence_transformers.models.{kind_}",
                }
                for i, (path, kind_) in enumerate([("", "Transformer"), ("1_Pooling", "Pooling")])
            ],
        )
        put(
            folder / "1_Pooling" / "config.json",
            {
                "word_embedding_dimension": model.config.hidden_size,
                "pooling_mode_cls_token": False,
                "pooling_mode_mean_tokens": True,
            },
        )
        if sentence_file:
            put(folder / sentence_file, sentence_config)
        if tokenizer_config is not None:
            put(folder / "tokenizer_config.json", tokenizer_config)
        encoder = SentenceTransformer(
            str(folder),
            device="cpu",
            model_kwargs={"dtype": torch.float32, "attn_implementation": "eager"},
        )
        answers = encoder.encode(TEXTS, batch_size=1, convert_to_numpy=True)
        keep(name, kind, folder, [[]], [{"embedding": answers.astype(float).tolist()}], about)


def main():
    HERE.mkdir(exist_ok=True)
    (HERE / "texts.json").write_text(
        json.dumps({"texts": TEXTS, "pairs": PAIRS}, ensure_ascii=False, indent=0) + "\n"
    )
    embedding(
        "bert_mean",
        "bert",
        1,
        "mean",
        "BERT, mean pooling, normalised; shortened",
        normalize=True,
        runs=((), (("dimensions", 12),)),
    )
    embedding("roberta_cls", "roberta", 2, "cls", "RoBERTa, the first token's vector")
    embedding(
        "xlm_roberta_weighted",
        "xlm-roberta",
        3,
        ["weightedmean", "lasttoken"],
        "XLM-RoBERTa, weighted mean and last token side by side",
    )
    embedding("mpnet_mean", "mpnet", 4, "mean", "MPNet, mean pooling, normalised", normalize=True)
    embedding(
        "albert_dense",
        "albert",
        5,
        ["cls", "max", "mean", "mean_sqrt_len_tokens"],
        "ALBERT with two groups of shared layers, four poolings side by side, a dense layer",
        dense=(20, torch.nn.Tanh()),
    )
    embedding(
        "modernbert_mean",
        "modernbert",
        6,
        "mean",
        "ModernBERT with a narrow window, two dense halves",
        dense=(16, torch.nn.Identity()),
    )
    embedding(
        "nomic_prompts",
        "nomic_bert",
        7,
        "mean",
        "NomicBERT with prompts",
        normalize=True,
        prompts={"query": "search_query: ", "document": "search_document: "},
        default_prompt="document",
        runs=((), (("prompt", "query"),), (("prompt-text", "she sells "), ("dimensions", 8))),
    )
    embedding(
        "bert_without_prompt",
        "bert",
        8,
        "mean",
        "BERT whose prompt is read but not pooled",
        prompts={"query": "please read: "},
        include_prompt=False,
        runs=((), (("prompt", "query"),)),
    )
    hidden("distilbert_hidden", "distilbert", 9, "DistilBERT without pooling settings: mean")
    hidden("electra_hidden", "electra", 10, "ELECTRA with narrow embeddings")
    hidden("deberta_hidden", "deberta-v2", 11, "DeBERTa v3: shared keys, logarithmic buckets")
    hidden(
        "deberta_plain_hidden",
        "deberta-v2-plain",
        12,
        "DeBERTa v2: absolute positions too, own position projections, no buckets, narrow "
        "embeddings",
    )
    three = ["negative", "neutral", "positive"]
    classification("bert_two", "bert", 21, ["NEGATIVE", "POSITIVE"], "BERT, two classes")
    classification("roberta_three", "roberta", 22, three, "RoBERTa, three classes")
    classification("distilbert_three", "distilbert", 23, three, "DistilBERT, three classes")
    classification("mpnet_three", "mpnet", 24, three, "MPNet, three classes")
    classification("electra_three", "electra", 25, three, "ELECTRA, three classes")
    classification(
        "albert_regression", "albert", 26, ["LABEL_0"], "ALBERT, a number", problem="regression"
    )
    classification(
        "deberta_labels",
        "deberta-v2",
        27,
        ["a", "b", "c", "d"],
        "DeBERTa, several labels at once",
        problem="multi_label_classification",
    )
    classification(
        "modernbert_three",
        "modernbert",
        28,
        three,
        "ModernBERT, three classes, mean pooling in the head",
        classifier_pooling="mean",
    )
    classification("nomic_three", "nomic_bert", 29, three, "NomicBERT, three classes")
    reranking(
        "xlm_roberta_reranking", "xlm-roberta", 31, "XLM-RoBERTa as a cross-encoder of two texts"
    )
    reranking(
        "bert_reranking", "bert", 32, "BERT as a cross-encoder of two texts, with token types"
    )
    names = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    entities("bert_entities", "bert", 41, names, "BERT, entities by all strategies")
    entities("roberta_entities", "roberta", 42, names, "RoBERTa, entities by all strategies")
    entities(
        "modernbert_entities", "modernbert", 43, names, "ModernBERT, entities by all strategies"
    )
    modules(
        "bert_layer_norm",
        "bert",
        51,
        "BERT, a layer norm and dense layers with residuals behind the pooling",
        lambda width: [
            LayerNorm(width),
            Dense(width, width, activation_function=torch.nn.GELU(), use_residual=True),
            Dense(width, 12, activation_function=torch.nn.Softplus(), use_residual=True),
        ],
    )
    static("static_words", "wordpiece", 52, "A static embedding, with a prompt")
    static(
        "static_model2vec",
        "bytelevel",
        53,
        "A static embedding as model2vec saves it: fewer vectors than tokens, and a weight for "
        "each token",
        is_model2vec=True,
    )
    single(
        "bert_one_label",
        "bert",
        54,
        "BERT, one label and no problem type: the sigmoid of its logit",
    )
    single(
        "roberta_tanh_reranking",
        "roberta",
        55,
        "RoBERTa as a cross-encoder through the hyperbolic tangent",
        activation=torch.nn.Tanh(),
    )
    single(
        "bert_identity_reranking",
        "bert",
        56,
        "BERT as a cross-encoder without an activation",
        activation=torch.nn.Identity(),
    )
    settings(
        "bert_cased_settings",
        "bert",
        57,
        "BERT whose tokenizer_config.json keeps capitals and accents, against tokenizer.json",
        tokenizer_config={
            "tokenizer_class": "BertTokenizer",
            "do_lower_case": False,
            "strip_accents": False,
            "tokenize_chinese_chars": False,
            "model_max_length": 40,
        },
    )
    settings(
        "roberta_prefix_settings",
        "roberta",
        58,
        "RoBERTa whose tokenizer_config.json puts a blank before texts, against tokenizer.json",
        tokenizer_config={
            "tokenizer_class": "RobertaTokenizerFast",
            "add_prefix_space": True,
            "model_max_length": 48,
            "pad_token": "<pad>",
            "unk_token": "<unk>",
        },
    )
    settings(
        "distilbert_lower_settings",
        "distilbert",
        59,
        "DistilBERT whose own settings cut texts at 12 tokens",
        tokenizer_config={
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": 8,
            "pad_token": "[PAD]",
            "unk_token": "[UNK]",
        },
        sentence_file="sentence_distilbert_config.json",
        sentence_config={"max_seq_length": 12, "do_lower_case": False},
    )
    settings(
        "roberta_lower_settings",
        "roberta",
        60,
        "RoBERTa whose sentence-transformers settings make letters small, but not those of marks",
        tokenizer_config={
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": 48,
            "pad_token": "<pad>",
            "unk_token": "<unk>",
        },
        sentence_file="sentence_roberta_config.json",
        sentence_config={"max_seq_length": 48, "do_lower_case": True},
    )
    if sys.argv[1:]:
        return
    versions = (
        f"torch {torch.__version__}, transformers {transformers.__version__}, "
        f"sentence-transformers {sentence_transformers.__version__}, tokenizers "
        f"{tokenizers.__version__}"
    )
    (HERE / "ORIGIN.md").write_text(
        "Made by `data/golden/text_models.py`: random weights, seeds in the script, with the "
        "answers of "
        + versions
        + ".\nTokenizers lie beside the cases, in `tokenizers`.\n\n"
        + "\n".join(CASES)
        + "\n"
    )


main()
