//! The ONNX graph of a text model, in place of weights.
//!
//! Owns which graph is taken, and the files with its data.

use std::sync::Arc;

use super::files::GRAPHS;
use crate::error::Result;
use crate::format::ModelFiles;
use crate::format::onnx::{OpenGraph, PortKind, open_graph_with};
use crate::storage::Location;
use crate::text::encoder::parts::{GraphInput, GraphPart};

/// The graphs that sentence-transformers, optimum and Transformers.js write next to that one: where
/// the directory holds just one of them, it is the model.
const OTHER_GRAPHS: [&str; 17] = [
    "model_quantized.onnx",
    "model_optimized.onnx",
    "model_int8.onnx",
    "model_uint8.onnx",
    "model_fp16.onnx",
    "model_q4.onnx",
    "model_q4f16.onnx",
    "model_bnb4.onnx",
    "model_O1.onnx",
    "model_O2.onnx",
    "model_O3.onnx",
    "model_O4.onnx",
    "model_qint8_arm64.onnx",
    "model_qint8_avx512.onnx",
    "model_qint8_avx512_vnni.onnx",
    "model_quint8_avx2.onnx",
    "model_optimized_quantized.onnx",
];

/// Ends of the names of files that hold a graph's tensors, as optimum and PyTorch write them.
const GRAPH_DATA: [&str; 2] = ["_data", ".data"];

/// The graph of the encoder in a folder: the one that sentence-transformers takes, else the only
/// one.
pub(super) fn graph_name(files: &dyn ModelFiles, encoder: &Location) -> Result<Option<Location>> {
    for name in GRAPHS {
        let path = encoder.join(name);
        if files.has(&path)? {
            return Ok(Some(path));
        }
    }
    let mut found = Vec::new();
    for folder in ["", "onnx"] {
        for name in OTHER_GRAPHS {
            let path = encoder.join(folder).join(name);
            if files.has(&path)? {
                found.push(path);
            }
        }
    }
    Ok(found.pop().filter(|_| found.is_empty()))
}

/// The encoder's graph, if there is one.
pub(super) fn graph(files: &dyn ModelFiles, encoder: &Location) -> Result<Option<GraphPart>> {
    let Some(path) = graph_name(files, encoder)? else {
        return Ok(None);
    };
    let Some(bytes) = files.read(&path)? else {
        return Ok(None);
    };
    let mut data = Vec::new();
    for end in GRAPH_DATA {
        let file = Location::from(format!("{}{end}", path.display()));
        if let (Some(content), Some(own)) = (files.read(&file)?, file.file_name()) {
            data.push((own.to_string_lossy().into_owned(), content));
        }
    }
    let opened = open_graph_with(&bytes, data);
    let opened = opened.map_err(|error| error.at_node(path.display().to_string()))?;
    Ok(Some(graph_part(&path, opened)))
}

fn graph_part(path: &Location, opened: OpenGraph) -> GraphPart {
    let input = |port: crate::format::onnx::Port| {
        let (element, shape) = match port.kind {
            PortKind::Tensor { element, shape } => (element, shape),
            _ => (None, None),
        };
        GraphInput {
            name: port.name,
            element,
            shape,
        }
    };
    GraphPart {
        file: path.display().to_string(),
        graph: Arc::new(opened.graph),
        inputs: opened.inputs.into_iter().map(input).collect(),
        outputs: opened.outputs.into_iter().map(|port| port.name).collect(),
    }
}
