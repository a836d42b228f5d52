"""How do I get a directory that tallow reads from a text model of the Hugging Face hub, or from a
checkpoint of my own?

usage: python examples/export_text_model.py NAME_OR_DIRECTORY OUT
then:  tallow score --model OUT reviews.parquet --text review --output vectors.parquet

Needs transformers; sentence-transformers for its models.

Writes weights as safetensors and the tokenizer as tokenizer.json, which older directories lack.
Models that tallow reads as they are need only to be downloaded."""

import pathlib
import sys

import transformers


def main(source, out):
    if pathlib.Path(source, "modules.json").exists() or source.startswith("sentence-transformers/"):
        from sentence_transformers import SentenceTransformer

        SentenceTransformer(source, device="cpu").save(out)
        return
    config = transformers.AutoConfig.from_pretrained(source)
    # The class that the model was saved with, so that its head comes along.
    name = (config.architectures or ["AutoModel"])[0]
    model = getattr(transformers, name, transformers.AutoModel).from_pretrained(source)
    model.save_pretrained(out)
    transformers.AutoTokenizer.from_pretrained(source).save_pretrained(out)
    if not pathlib.Path(out, "tokenizer.json").exists():
        raise SystemExit(
            "transformers has no fast tokenizer for this model, so there is no tokenizer.json"
        )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
