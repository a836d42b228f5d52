"""Makes data/signatures: a small model signed with model-signing 1.1.1 by keys on every curve, in
pieces, and by certificates.

    pip install model-signing pyopenssl && python data/signatures/make.py

The private keys are for tests only. Certificates are valid for 100 years, but `expired`.
"""

import datetime
import pathlib
import shutil
import subprocess

import model_signing
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HERE = pathlib.Path(__file__).parent
KEYS = {}


def openssl(*arguments, **more):
    subprocess.run(["openssl", *arguments], check=True, cwd=HERE, capture_output=True, **more)


def certificate(name, issuer, *, authority=False, usage=None, codes=False, years=100):
    key = ec.generate_private_key(ec.SECP256R1())
    by = KEYS.get(issuer, (key, None))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"test {name}")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by[1].subject if by[1] else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=365 * years))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if usage:
        names = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
                 "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
        usage = x509.KeyUsage(**{one: one == usage for one in names})
        builder = builder.add_extension(usage, critical=True)
    if codes:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
    made = builder.sign(by[0], hashes.SHA256())
    KEYS[name] = (key, made)
    pem = serialization.Encoding.PEM
    (HERE / f"{name}.pem").write_bytes(made.public_bytes(pem))
    (HERE / f"{name}.key").write_bytes(key.private_bytes(
        pem, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()))


def main():
    shutil.rmtree(HERE / "model", ignore_errors=True)
    model = HERE / "model"
    (model / "sub").mkdir(parents=True)
    (model / "model.json").write_text('{"learner": {}}\n')
    (model / "sub" / "rows.csv").write_text("a,b\n" + "1,2\n" * 500)
    (model / "sub" / "a.txt").write_text("sorted by parts, not by characters\n")
    (model / "sub.txt").write_text("x")
    (model / "empty").write_text("")
    hashing = model_signing.hashing.Config
    for curve in ["prime256v1", "secp384r1", "secp521r1"]:
        openssl("ecparam", "-name", curve, "-genkey", "-out", f"{curve}.key")
        openssl("ec", "-in", f"{curve}.key", "-pubout", "-out", f"{curve}.pub")
        signing = model_signing.signing.Config().use_elliptic_key_signer(
            private_key=HERE / f"{curve}.key")
        signing.sign(model, HERE / f"{curve}.sig")
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", "prime256v1.key", "-out", "pkcs8.key")
    pieces = hashing().use_shard_serialization(shard_size=1000)
    key = model_signing.signing.Config().use_elliptic_key_signer(
        private_key=HERE / "prime256v1.key")
    key.set_hashing_config(pieces).sign(model, HERE / "pieces.sig")
    ignoring = hashing().set_ignored_paths(paths=[model / "sub.txt"])
    key.set_hashing_config(ignoring).sign(model, HERE / "ignoring.sig")
    certificate("root", None, authority=True, usage="key_cert_sign")
    certificate("between", "root", authority=True, usage="key_cert_sign")
    certificate("leaf", "between", usage="digital_signature")
    certificate("encrypts", "between", usage="key_encipherment")
    certificate("codes", "between", codes=True)
    certificate("expired", "between", usage="digital_signature", years=1)
    certificate("stranger", None, authority=True, usage="key_cert_sign")
    certificate("beneath", "leaf", usage="digital_signature")
    for name in ["leaf", "encrypts", "codes", "expired"]:
        signing = model_signing.signing.Config().use_certificate_signer(
            private_key=HERE / f"{name}.key", signing_certificate=HERE / f"{name}.pem",
            certificate_chain=[HERE / "between.pem"])
        signing.sign(model, HERE / f"{name}.sig")
    signing = model_signing.signing.Config().use_certificate_signer(
        private_key=HERE / "beneath.key", signing_certificate=HERE / "beneath.pem",
        certificate_chain=[HERE / "leaf.pem", HERE / "between.pem"])
    signing.sign(model, HERE / "beneath.sig")
    for name in ["root", "between", "encrypts", "codes", "expired", "stranger", "beneath"]:
        (HERE / f"{name}.key").unlink()


main()
