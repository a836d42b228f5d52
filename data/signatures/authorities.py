"""Makes data/signatures/by_*: the model of make.py, signed with model-signing 1.1.1 by keys on
P-256 whose certificates come from authorities of other kinds.

    pip install model-signing && python data/signatures/authorities.py

No private key is kept. Certificates are valid for 100 years.
"""

import datetime
import pathlib

import model_signing
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

HERE = pathlib.Path(__file__).parent
PEM = serialization.Encoding.PEM
PSS = padding.PSS(padding.MGF1(hashes.SHA256()), salt_length=32)

# Each authority's key, the digest that it signs with, and the padding.
AUTHORITIES = {
    "p256_sha512": (ec.generate_private_key(ec.SECP256R1()), hashes.SHA512(), None),
    "p384_sha256": (ec.generate_private_key(ec.SECP384R1()), hashes.SHA256(), None),
    "p521_sha256": (ec.generate_private_key(ec.SECP521R1()), hashes.SHA256(), None),
    "rsa_sha256": (rsa.generate_private_key(65537, 2048), hashes.SHA256(), None),
    "rsa_sha512": (rsa.generate_private_key(65537, 3072), hashes.SHA512(), None),
    "rsa_pss": (rsa.generate_private_key(65537, 2048), hashes.SHA256(), PSS),
}


def certificate(name, key, issuer, by, usage):
    """A certificate for `key` of `name`; `by` is the issuer's key, digest and padding."""
    names = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
             "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    subjects = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"test {one}")])
                for one in (name, issuer)]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subjects[0])
        .issuer_name(subjects[1])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36500))
        .add_extension(x509.BasicConstraints(ca=name == issuer, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**{one: one == usage for one in names}), critical=True)
    )
    return builder.sign(by[0], by[1], rsa_padding=by[2])


def main():
    for name, by in AUTHORITIES.items():
        root = certificate(name, by[0], name, by, "key_cert_sign")
        (HERE / f"by_{name}.pem").write_bytes(root.public_bytes(PEM))
        key = ec.generate_private_key(ec.SECP256R1())
        own = certificate("signer", key, name, by, "digital_signature")
        files = [HERE / f"{one}.tmp" for one in ("key", "own")]
        files[0].write_bytes(key.private_bytes(
            PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()))
        files[1].write_bytes(own.public_bytes(PEM))
        signing = model_signing.signing.Config().use_certificate_signer(
            private_key=files[0], signing_certificate=files[1], certificate_chain=[HERE / f"by_{name}.pem"])
        signing.sign(HERE / "model", HERE / f"by_{name}.sig")
        for file in files:
            file.unlink()
        verifying = model_signing.verifying.Config().use_certificate_verifier(
            certificate_chain=[HERE / f"by_{name}.pem"])
        try:
            verifying.verify(HERE / "model", HERE / f"by_{name}.sig")
            print(name, "verified")
        except Exception as error:  # noqa: BLE001
            print(name, "refused", error)
    # Authorities of the same names, with other keys.
    imposters = []
    for name, key in [
        ("p384_sha256", ec.generate_private_key(ec.SECP384R1())),
        ("rsa_sha256", rsa.generate_private_key(65537, 2048)),
    ]:
        by = (key, hashes.SHA256(), None)
        imposters.append(certificate(name, key, name, by, "key_cert_sign").public_bytes(PEM))
    (HERE / "imposters.pem").write_bytes(b"".join(imposters))


main()
