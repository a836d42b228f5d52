//! Files that hold programs, or parts of them, told by their content: each is refused with one line
//! on how to export the model instead.
//!
//! Nothing here loads anything: archives are read as far as the names of their members. Pickles,
//! joblib and skops files and PyTorch's weights are read as data: see [`super::python`].

use super::Artefact;
use super::python::archive;

/// A kind of file that is not loaded.
pub(super) struct Refused {
    /// What it is and why it is refused.
    pub(super) message: &'static str,
    /// How to export the model instead.
    pub(super) hint: &'static str,
}

/// How models leave their libraries.
pub(super) const EXPORT: &str = "save the model with its library: `save_model` of XGBoost (`.ubj`, \
    `.json`), LightGBM (`.txt`) or CatBoost (`.cbm`), `joblib.dump` for scikit-learn, \
    `torch.export` (`.pt2`) or ONNX for networks; `tallow guide models` has a line for each";
const TORCH: &str = "export the model where it was trained, `torch.onnx.export(model, (x,), \
                     \"model.onnx\")`; `examples/export_pytorch.py` writes a whole package";
const TENSORFLOW: &str = "export the model, `python -m tf2onnx.convert --saved-model DIRECTORY \
                          --output model.onnx`; `examples/export_tensorflow.py` writes a whole \
                          package";

const TORCH_SCRIPT: Refused = Refused {
    message: "refusing TorchScript: it is a program, and running it could do anything",
    hint: TORCH,
};
const SAVED_MODEL: Refused = Refused {
    message: "refusing a TensorFlow SavedModel: its graph is a program that may read and write \
              files",
    hint: TENSORFLOW,
};
const KERAS: Refused = Refused {
    message: "refusing a Keras file: its layers may hold code",
    hint: TENSORFLOW,
};

/// What the file is, if it is of a kind that is not loaded.
pub(super) fn refused(artefact: &Artefact) -> Option<&'static Refused> {
    let bytes = &artefact.bytes[..];
    if let Some(names) = archive::names(bytes) {
        return by_members(&names);
    }
    if bytes.starts_with(b"\x89HDF\r\n\x1a\n") {
        return Some(&KERAS);
    }
    // A schema version of 1, then graphs; each names what it serves.
    if bytes.starts_with(&[0x08, 0x01, 0x12])
        && (has(bytes, b"saved_model") || has(bytes, b"serving_default"))
    {
        return Some(&SAVED_MODEL);
    }
    None
}

fn has(bytes: &[u8], text: &[u8]) -> bool {
    /// What a file is it says near its beginning.
    const LOOKED_AT: usize = 1 << 20;
    bytes[..bytes.len().min(LOOKED_AT)]
        .windows(text.len())
        .any(|window| window == text)
}

fn by_members(names: &[String]) -> Option<&'static Refused> {
    let any = |test: &dyn Fn(&str) -> bool| names.iter().any(|name| test(name));
    if any(&|name| name.contains("/code/__torch__") || name.ends_with("/constants.pkl")) {
        return Some(&TORCH_SCRIPT);
    }
    (any(&|name| name == "config.json") && any(&|name| name.ends_with(".weights.h5")))
        .then_some(&KERAS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(name: &str, bytes: &[u8]) -> Option<&'static str> {
        refused(&Artefact::new(name, bytes.to_vec())).map(|refused| refused.message)
    }

    #[test]
    fn archives_cut_or_damaged_anywhere_are_no_panic() {
        let name = b"m/constants.pkl";
        let length = (name.len() as u8, 0);
        let mut archive = b"PK\x03\x04".to_vec();
        let directory = archive.len() as u8;
        archive.extend(
            [
                b"PK\x01\x02".as_slice(),
                &[0; 24],
                &[length.0, length.1],
                &[0; 16],
                name,
            ]
            .concat(),
        );
        let size = archive.len() as u8 - directory;
        archive.extend(
            [
                b"PK\x05\x06".as_slice(),
                &[0; 8],
                &[size, 0, 0, 0],
                &[directory, 0, 0, 0, 0, 0],
            ]
            .concat(),
        );
        assert_eq!(message("m.pt", &archive), Some(TORCH_SCRIPT.message));
        let ends = [
            b"PK\x03\x04 and much more".as_slice(),
            &archive[usize::from(directory)..],
        ]
        .concat();
        assert_eq!(
            message("m.pt", &ends),
            Some(TORCH_SCRIPT.message),
            "the middle of a large file is missing"
        );
        for index in 0..archive.len() {
            message("m.pt", &archive[..index]);
            for byte in [0, 0x7f, 0xff] {
                let mut damaged = archive.clone();
                damaged[index] = byte;
                message("m.pt", &damaged);
            }
        }
    }
}
