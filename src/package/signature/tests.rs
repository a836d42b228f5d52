//! Signatures of `model-signing` 1.1.1 (`data/signatures/make.py`), our own, and every
//! manipulation.

use std::path::{Path, PathBuf};

use super::bundle::{Signature, Signer, signed_bytes};
use super::certificate::Authority;
use super::key::{PrivateKey, PublicKey};
use super::sign::{SigningIdentity, sign};
use super::trust::Trust;
use super::verify::{Verified, verify};
use super::*;
use crate::error::{Error, Kind, Result};
use crate::storage::Location;

/// 2026-01-01, when the kept certificates are valid but the expired one.
const MOMENT: u64 = 1_767_225_600;

/// 2020-06-01.
const EARLIER: u64 = 1_590_969_600;

fn kept(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/data/signatures")).join(name)
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(kept(name)).unwrap()
}

fn trust(names: &[&str]) -> Trust {
    let mut trust = Trust {
        time: MOMENT,
        ..Trust::default()
    };
    names
        .iter()
        .for_each(|name| trust.add_pem(&read(name)).unwrap());
    trust
}

fn verify_kept(signature: &str, keys: &[&str]) -> Result<Verified> {
    verify(
        &Location::from(&kept("model")),
        &Location::from(&kept(signature)),
        &trust(keys),
    )
}

/// A copy of the kept model and a signature in it.
fn copied(signature: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let model = directory.path().join("model");
    std::fs::create_dir_all(model.join("sub")).unwrap();
    for name in [
        "model.json",
        "sub/rows.csv",
        "sub/a.txt",
        "sub.txt",
        "empty",
    ] {
        std::fs::copy(kept("model").join(name), model.join(name)).unwrap();
    }
    std::fs::copy(kept(signature), model.join(SIGNATURE_NAME)).unwrap();
    (directory, model)
}

fn message(result: Result<Verified>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), Kind::Trust, "{error}");
    error.message().to_owned()
}

#[test]
fn signatures_of_the_reference_implementation_are_verified() {
    for curve in ["prime256v1", "secp384r1", "secp521r1"] {
        let keys = ["prime256v1.pub", "secp384r1.pub", "secp521r1.pub"];
        let verified = verify_kept(&format!("{curve}.sig"), &keys).unwrap();
        let key = PublicKey::from_pem(&read(&format!("{curve}.pub"))).unwrap();
        assert_eq!(
            verified.signer,
            format!("key {}", key.fingerprint().unwrap())
        );
        let names: Vec<&str> = verified
            .files
            .keys()
            .map(|path| path.to_str().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "empty",
                "model.json",
                "sub/a.txt",
                "sub/rows.csv",
                "sub.txt"
            ]
        );
    }
    // In pieces of 1,000 bytes; the empty file has none.
    let pieces = verify_kept("pieces.sig", &["prime256v1.pub"]).unwrap();
    assert_eq!(pieces.files.len(), 4);
    let whole = verify_kept("prime256v1.sig", &["prime256v1.pub"]).unwrap();
    assert!(
        pieces
            .files
            .iter()
            .all(|(path, digest)| whole.files[path] == *digest)
    );
    // The signer ignored `sub.txt`, so it is not vouched for.
    let ignoring = verify_kept("ignoring.sig", &["prime256v1.pub"]).unwrap();
    assert!(
        !ignoring
            .files
            .contains_key(&Location::from(Path::new("sub.txt")))
    );
    for name in ["leaf.sig", "codes.sig"] {
        for authority in ["root.pem", "between.pem"] {
            let verified = verify_kept(name, &[authority]).unwrap();
            assert!(
                verified.signer.starts_with("certificate CN=test "),
                "{}",
                verified.signer
            );
        }
    }
}

/// What `data/signatures/authorities.py` made; model-signing verifies all of it.
#[test]
fn authorities_may_have_keys_and_digests_of_other_kinds() {
    for name in [
        "p256_sha512",
        "p384_sha256",
        "p521_sha256",
        "rsa_sha256",
        "rsa_sha512",
    ] {
        let [signature, authority] = ["sig", "pem"].map(|ending| format!("by_{name}.{ending}"));
        let verified = verify_kept(&signature, &[&authority]).unwrap();
        assert_eq!(verified.signer, "certificate CN=test signer", "{name}");
        // Another authority, and those of the same names with other keys.
        for other in ["root.pem", "imposters.pem"] {
            assert!(
                message(verify_kept(&signature, &[other])).contains("trusted authority"),
                "{name}"
            );
        }
    }
    let refused = verify_kept("by_rsa_pss.sig", &["by_rsa_pss.pem"]).unwrap_err();
    let hint = refused.hint_text().unwrap();
    assert!(hint.contains("1.2.840.113549.1.1.10"), "{hint}");
}

#[test]
fn who_is_not_trusted_is_named() {
    let key = PublicKey::from_pem(&read("prime256v1.pub"))
        .unwrap()
        .fingerprint()
        .unwrap();
    assert_eq!(
        message(verify_kept("prime256v1.sig", &["secp384r1.pub"])),
        format!("the model was signed with the key `{key}`, which is not trusted")
    );
    assert_eq!(
        message(verify_kept("prime256v1.sig", &["root.pem"])),
        "the model was signed with a key, and no key is trusted"
    );
    assert_eq!(
        message(verify_kept("leaf.sig", &["prime256v1.pub"])),
        "the model was signed with a certificate, and no authority is trusted"
    );
    assert_eq!(
        message(verify_kept("leaf.sig", &["stranger.pem"])),
        "the certificate of `CN=test leaf` does not lead to a trusted authority"
    );
    assert_eq!(
        message(verify_kept("encrypts.sig", &["root.pem"])),
        "the certificate of `CN=test encrypts` does not allow its key to sign"
    );
    assert_eq!(
        message(verify_kept("beneath.sig", &["root.pem"])),
        "the certificate of `CN=test leaf` does not allow it to sign other certificates"
    );
    assert_eq!(
        message(verify_kept("expired.sig", &["root.pem"])),
        "the certificate of `CN=test expired` is valid from 2020-01-01T00:00:00Z to \
         2020-12-31T00:00:00Z, and not at 2026-01-01T00:00:00Z"
    );
    let then = Trust {
        time: EARLIER,
        ..trust(&["root.pem"])
    };
    verify(
        &Location::from(&kept("model")),
        &Location::from(&kept("expired.sig")),
        &then,
    )
    .unwrap();
}

#[test]
fn what_was_revoked_is_refused_whatever_signed_it() {
    let verified = verify_kept("prime256v1.sig", &["prime256v1.pub"]).unwrap();
    let key = verified.signer.strip_prefix("key ").unwrap().to_owned();
    let file =
        crate::digest::hexadecimal(&verified.files[&Location::from(Path::new("model.json"))]);
    for (revoked, expected) in [
        (verified.digest.clone(), "the signed digest"),
        (key.to_uppercase(), "the signer's key"),
        (format!("sha256:{file}"), "the file was revoked"),
    ] {
        let trust = Trust {
            revoked: vec![revoked],
            ..trust(&["prime256v1.pub"])
        };
        let refused = message(verify(
            &Location::from(&kept("model")),
            &Location::from(&kept("prime256v1.sig")),
            &trust,
        ));
        assert!(
            refused.starts_with(expected) && refused.contains("revoked"),
            "{refused}"
        );
    }
}

#[test]
fn every_change_of_a_model_is_detected() {
    for signature in ["prime256v1.sig", "pieces.sig"] {
        let (_directory, model) = copied(signature);
        let own = model.join(SIGNATURE_NAME);
        let check = || {
            verify(
                &Location::from(&model),
                &Location::from(&own),
                &trust(&["prime256v1.pub"]),
            )
        };
        check().unwrap();
        for name in ["model.json", "sub/rows.csv", "sub.txt"] {
            let path = model.join(name);
            let bytes = std::fs::read(&path).unwrap();
            let mut edits = vec![Vec::new(), [&bytes[..], b"x"].concat(), bytes[1..].to_vec()];
            for index in [0, bytes.len() / 2, bytes.len() - 1] {
                let mut edited = bytes.clone();
                edited[index] ^= 1;
                edits.push(edited);
            }
            for edited in edits {
                std::fs::write(&path, edited).unwrap();
                assert_eq!(
                    message(check()),
                    "the file is not the one that was signed",
                    "{name}"
                );
            }
            std::fs::remove_file(&path).unwrap();
            assert_eq!(message(check()), "a file that is signed is missing");
            std::os::unix::fs::symlink(kept("model").join(name), &path).unwrap();
            assert!(message(check()).contains("this is a link or a device"));
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, bytes).unwrap();
        }
        for extra in ["tallow.toml", "sub/.hidden", "other.sig", "git", ".github2"] {
            std::fs::write(model.join(extra), "x").unwrap();
            assert_eq!(message(check()), "a file is not signed", "{extra}");
            std::fs::remove_file(model.join(extra)).unwrap();
        }
        std::fs::create_dir(model.join(".git")).unwrap();
        std::fs::write(model.join(".git/x"), "x").unwrap();
        std::fs::rename(model.join("sub"), model.join("sub2")).unwrap();
        assert_eq!(message(check()), "a file is not signed");
        std::fs::rename(model.join("sub2"), model.join("sub")).unwrap();
        assert!(
            !check()
                .unwrap()
                .files
                .contains_key(&Location::from(Path::new(".git/x")))
        );
    }
}

/// A signature file of ours over a payload of anybody's.
fn signed(payload: &str) -> Vec<u8> {
    let key = PrivateKey::from_pem(&read("prime256v1.key")).unwrap();
    let signature = key.sign(&signed_bytes(payload.as_bytes())).unwrap();
    let signer = Signer::Key(Some(key.public_key().fingerprint().unwrap()));
    Signature {
        signer,
        payload: payload.into(),
        signature,
    }
    .to_bytes()
    .unwrap()
}

#[test]
fn no_byte_of_a_signature_can_be_changed() {
    let (_directory, model) = copied("prime256v1.sig");
    let own = model.join(SIGNATURE_NAME);
    let bytes = std::fs::read(&own).unwrap();
    let trust = trust(&["prime256v1.pub"]);
    let original = verify(&Location::from(&model), &Location::from(&own), &trust).unwrap();
    let mut accepted = Vec::new();
    for index in 0..bytes.len() {
        let mut edited = bytes.clone();
        edited[index] ^= 2;
        std::fs::write(&own, &edited).unwrap();
        match verify(&Location::from(&model), &Location::from(&own), &trust) {
            Ok(verified) => {
                // What is not signed says nothing: names of keys that we do not know.
                assert_eq!(verified, original);
                accepted.push(index);
            }
            Err(error) => assert_eq!(error.kind(), Kind::Trust, "{error}"),
        }
    }
    let text = String::from_utf8(bytes).unwrap();
    let free: Vec<usize> = ["tlogEntries", "keyid", "hint"]
        .iter()
        .flat_map(|name| {
            let start = text.find(name).unwrap();
            start..start + name.len()
        })
        .collect();
    assert!(
        accepted.iter().all(|index| free.contains(index)),
        "{accepted:?}"
    );
    for length in [0, 1, 100, text.len() / 2, text.len() - 1] {
        std::fs::write(&own, &text[..length]).unwrap();
        assert_eq!(
            verify(&Location::from(&model), &Location::from(&own), &trust)
                .unwrap_err()
                .kind(),
            Kind::Trust
        );
    }
}

#[test]
fn a_statement_that_is_signed_and_wrong_is_refused() {
    let text =
        String::from_utf8(Signature::parse(&read("prime256v1.sig")).unwrap().payload).unwrap();
    let (_directory, model) = copied("prime256v1.sig");
    let own = model.join(SIGNATURE_NAME);
    let refused = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        std::fs::write(&own, signed(&text.replace(from, to))).unwrap();
        message(verify(
            &Location::from(&model),
            &Location::from(&own),
            &trust(&["prime256v1.pub"]),
        ))
    };
    for (from, to, expected) in [
        (
            "in-toto.io/Statement/v1",
            "in-toto.io/Statement/v0.1",
            "its type is",
        ),
        (
            "https://model_signing/signature/v1.0",
            "https://model_signing/Digests/v0.1",
            "made by a version before Model Signing v1.0",
        ),
        (
            "model_signing/signature/v1.0",
            "slsa.dev/provenance/v1",
            "its predicate is",
        ),
        (
            "\"method\": \"files\"",
            "\"method\": \"tar\"",
            "it serializes by `tar`",
        ),
        ("\"sha256\"\n", "\"md5\"\n", "a digest by `md5`"),
        (
            "\"name\": \"sub.txt\"",
            "\"name\": \"../sub.txt\"",
            "not a path inside the model",
        ),
        (
            "\"name\": \"sub.txt\"",
            "\"name\": \"/sub.txt\"",
            "not a path inside the model",
        ),
        (
            "\"name\": \"sub.txt\"",
            "\"name\": \"sub//rows.csv\"",
            "not a path inside the model",
        ),
        (
            "\"name\": \"sub.txt\"",
            "\"name\": \"\"",
            "not a path inside the model",
        ),
        (
            "\"name\": \"sub.txt\"",
            "\"name\": \"empty\"",
            "is listed twice",
        ),
        (
            "\"name\": \"model\"",
            "\"name\": \"model\"},{\"name\":\"b\"",
            "cannot read what is signed",
        ),
        ("\"subject\"", "\"objects\"", "not an in-toto statement"),
        (
            "\"digest\": \"e3b0",
            "\"digest\": \"e3b1",
            "its digest is not the one",
        ),
        (
            "\"digest\": \"e3b0",
            "\"digest\": \"",
            "a digest of the wrong length",
        ),
    ] {
        let error = refused(from, to);
        assert!(error.contains(expected), "{to}: {error}");
    }
    // The signer may not have every file ignored that is read.
    std::fs::write(&own, signed(&text.replace("\".gitignore\"", "\"sub.txt\""))).unwrap();
    verify(
        &Location::from(&model),
        &Location::from(&own),
        &trust(&["prime256v1.pub"]),
    )
    .unwrap();
}

#[test]
fn a_bundle_of_another_form_is_refused() {
    let text = String::from_utf8(read("prime256v1.sig")).unwrap();
    for (from, to, expected) in [
        (
            "bundle.v0.3+json",
            "bundle+json;version=0.2",
            "its media type is",
        ),
        ("vnd.in-toto", "vnd.other", "its payload has the type"),
        (
            "\"signatures\":[",
            "\"signatures\":[{\"sig\":\"AA==\",\"keyid\":\"\"},",
            "2 signatures",
        ),
        (
            "publicKey\":{",
            "certificate\":{",
            "signed through Sigstore",
        ),
        (
            "publicKey\":{",
            "other\":{",
            "neither one key nor one chain",
        ),
        ("\"payload\":\"", "\"payload\":\"*", "payload is not base64"),
    ] {
        assert!(text.contains(from), "{from}");
        let error = Signature::parse(text.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert_eq!(error.kind(), Kind::Trust);
        assert!(error.message().contains(expected), "{error}");
    }
}

#[test]
fn what_we_sign_is_verified_and_the_same_bytes_each_time() {
    for name in [
        "prime256v1.key",
        "secp384r1.key",
        "secp521r1.key",
        "pkcs8.key",
    ] {
        let (_directory, model) = copied("prime256v1.sig");
        let own = model.join(SIGNATURE_NAME);
        let key = PrivateKey::from_pem(&read(name)).unwrap();
        let identity = SigningIdentity {
            key,
            certificates: Vec::new(),
        };
        let bytes = sign(&Location::from(&model), &Location::from(&own), &identity).unwrap();
        assert_eq!(
            sign(&Location::from(&model), &Location::from(&own), &identity).unwrap(),
            bytes
        );
        std::fs::write(&own, bytes).unwrap();
        let trust = Trust {
            keys: vec![identity.key.public_key()],
            ..Trust::default()
        };
        let verified = verify(&Location::from(&model), &Location::from(&own), &trust).unwrap();
        // The reference implementation gives the same digest over all files.
        let reference = verify_kept("prime256v1.sig", &["prime256v1.pub"]).unwrap();
        assert_eq!(
            (verified.digest, verified.files),
            (reference.digest, reference.files)
        );
    }
    let (directory, model) = copied("prime256v1.sig");
    let chain = ["leaf.pem", "between.pem"].map(read).concat();
    let key = PrivateKey::from_pem(&read("leaf.key")).unwrap();
    let certificates = Authority::from_pem(&chain).unwrap();
    let own = directory.path().join("detached.sig");
    std::fs::remove_file(model.join(SIGNATURE_NAME)).unwrap();
    std::fs::write(
        &own,
        sign(
            &Location::from(&model),
            &Location::from(&own),
            &SigningIdentity { key, certificates },
        )
        .unwrap(),
    )
    .unwrap();
    assert!(
        verify(
            &Location::from(&model),
            &Location::from(&own),
            &trust(&["root.pem"])
        )
        .is_ok()
    );
    // A model that is a file.
    let file = model.join("model.json");
    let key = PrivateKey::from_pem(&read("prime256v1.key")).unwrap();
    let identity = SigningIdentity {
        key,
        certificates: Vec::new(),
    };
    std::fs::write(
        &own,
        sign(&Location::from(&file), &Location::from(&own), &identity).unwrap(),
    )
    .unwrap();
    let verified = verify(
        &Location::from(&file),
        &Location::from(&own),
        &trust(&["prime256v1.pub"]),
    )
    .unwrap();
    assert_eq!(verified.files.keys().collect::<Vec<_>>(), [Path::new("")]);
    let key = PrivateKey::from_pem(&read("secp384r1.key")).unwrap();
    let certificates = Authority::from_pem(&read("leaf.pem")).unwrap();
    let error = sign(
        &Location::from(&model),
        &Location::from(&own),
        &SigningIdentity { key, certificates },
    )
    .unwrap_err();
    assert_eq!(
        error.message(),
        "the first certificate is not the private key's"
    );
}

#[test]
fn what_is_not_a_key_explains_what_to_type() {
    let text = |error: Error| {
        format!(
            "{}: {}",
            error.message(),
            error.hint_text().unwrap_or_default()
        )
    };
    assert_eq!(
        text(PublicKey::from_pem(&read("prime256v1.key")).unwrap_err()),
        "the file holds a private key; a public key was expected: openssl pkey -in KEY.pem -pubout \
         -out KEY.pub"
    );
    assert_eq!(
        text(PrivateKey::from_pem(&read("prime256v1.pub")).unwrap_err()),
        "the file does not hold a private key in PEM form: openssl ecparam -name prime256v1 \
         -genkey \
         -noout -out KEY.pem"
    );
    let encrypted =
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let old = b"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES\n\nAAAA\n\
                -----END EC PRIVATE KEY-----\n";
    for text in [&encrypted[..], &old[..]] {
        let error = PrivateKey::from_pem(text).unwrap_err();
        assert_eq!(error.message(), "the private key is encrypted");
    }
    // Ed25519, which Model Signing does not have.
    let other =
        b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAx\
                  ZuE=\n-----END PUBLIC KEY-----\n";
    let error = PublicKey::from_pem(other).unwrap_err();
    assert_eq!(
        error.message(),
        "the public key is not on the curve P-256, P-384 or P-521"
    );
    for text in [
        &b""[..],
        b"\xff",
        b"-----BEGIN PUBLIC KEY-----\nAAAA",
        b"-----BEGIN X-----\n*\n-----END X-----",
    ] {
        assert_eq!(PublicKey::from_pem(text).unwrap_err().kind(), Kind::Usage);
        assert_eq!(PrivateKey::from_pem(text).unwrap_err().kind(), Kind::Usage);
    }
    for name in ["prime256v1", "secp384r1", "secp521r1"] {
        let pem = read(&format!("{name}.pub"));
        assert_eq!(
            PublicKey::from_pem(&pem)
                .unwrap()
                .to_pem()
                .unwrap()
                .as_bytes(),
            pem
        );
    }
}
