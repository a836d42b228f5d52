"""Signs models with tallow and verifies them with model-signing, and the other way round.

    python tests/readers/signatures.py TALLOW WORKDIR

With keys on each curve, in pieces, and with certificates. Exits 1 and names each difference."""

import pathlib
import shutil
import subprocess
import sys

import model_signing

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEPT = ROOT / "data/signatures"
EXE, WORK = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve() / "signatures"
FAULTS = []


def check(what, is_right):
    print("ok   " if is_right else "FAULT", what, flush=True)
    if not is_right:
        FAULTS.append(what)


def tallow(*args):
    run = subprocess.run([EXE, *map(str, args)], capture_output=True, text=True)
    return run.returncode


def verified_by_python(config, model, signature):
    try:
        config.verify(model, signature)
        return True
    except Exception as error:  # its errors have many types
        print("     ", error)
        return False


def scores():
    """Signed scores: a file, and a data set by its manifest."""
    key, public = KEPT / "prime256v1.key", KEPT / "prime256v1.pub"
    verifying = model_signing.verifying.Config().use_elliptic_key_verifier(public_key=public)
    for output, signed in [("scores.parquet", "scores.parquet"),
                           ("scores/", "scores/_tallow/manifest.json")]:
        model, rows = ROOT / "data/demo/churn", ROOT / "data/demo/customers.csv"
        code = tallow("score", "--model", model, rows, "--output", f"{WORK}/{output}",
                      "--sign-key", key)
        check(f"tallow signs scores, {output}", code == 0)
        signature = WORK / f"{signed}.sig"
        check(f"Python verifies scores, {output}",
              verified_by_python(verifying, WORK / signed, signature))
        check(f"tallow verifies scores, {output}",
              tallow("verify", WORK / output, "--key", public) == 0)
    signing = model_signing.signing.Config().use_elliptic_key_signer(private_key=key)
    signing.sign(WORK / "scores.parquet", WORK / "python.sig")
    code = tallow("verify", WORK / "scores.parquet", "--key", public,
                  "--signature", WORK / "python.sig")
    check("tallow verifies Python's, one file", code == 0)


def main():
    shutil.rmtree(WORK, ignore_errors=True)
    model = WORK / "model"
    shutil.copytree(KEPT / "model", model)
    (model / "sub" / "deep").mkdir()
    (model / "sub" / "deep" / "name with spaces, ä.txt").write_text("x" * 3_000_000)
    (model / ".gitignore").write_text("ignored by both")
    signature = model / "model.sig"
    for curve in ["prime256v1", "secp384r1", "secp521r1"]:
        key, public = KEPT / f"{curve}.key", KEPT / f"{curve}.pub"
        check(f"tallow signs, {curve}", tallow("sign", model, "--key", key, "--overwrite") == 0)
        verifying = model_signing.verifying.Config().use_elliptic_key_verifier(public_key=public)
        check(f"Python verifies, {curve}", verified_by_python(verifying, model, signature))
        check(f"tallow verifies its own, {curve}", tallow("verify", model, "--key", public) == 0)
        for method in ["files", "pieces"]:
            signature.unlink()
            hashing = model_signing.hashing.Config()
            if method == "pieces":
                hashing = hashing.use_shard_serialization(shard_size=1_000_000)
            hashing = hashing.set_ignored_paths(paths=[signature])
            signing = model_signing.signing.Config().use_elliptic_key_signer(private_key=key)
            signing.set_hashing_config(hashing).sign(model, signature)
            check(f"tallow verifies Python's, {curve}, {method}",
                  tallow("verify", model, "--key", public) == 0)
    chain = ["--certificate", KEPT / "leaf.pem", "--certificate", KEPT / "between.pem"]
    code = tallow("sign", model, "--key", KEPT / "leaf.key", *chain, "--overwrite")
    check("tallow signs, certificate", code == 0)
    verifying = model_signing.verifying.Config().use_certificate_verifier(
        certificate_chain=[KEPT / "root.pem"])
    check("Python verifies, certificate", verified_by_python(verifying, model, signature))
    check("tallow verifies its own, certificate",
          tallow("verify", model, "--key", KEPT / "root.pem") == 0)
    scores()
    (model / "model.json").write_text("{}")
    check("Python sees the change", not verified_by_python(verifying, model, signature))
    check("tallow sees the change", tallow("verify", model, "--key", KEPT / "root.pem") == 6)
    sys.exit(1 if FAULTS else 0)


main()
