//! Which lanes the kernel runs on: those that this processor has.

use super::lanes::{Lanes, Task};
#[cfg(target_arch = "x86_64")]
use super::lanes_avx2::Avx2;
#[cfg(target_arch = "x86_64")]
use super::lanes_avx512::Avx512;
use super::lanes_portable::Portable;
use crate::kernel::processor::Instructions;

/// The kinds of lanes that this processor has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Processor {
    Portable(Portable),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

impl Processor {
    /// These instructions, if this processor has them.
    pub(super) fn with(instructions: Instructions) -> Option<Self> {
        match instructions {
            Instructions::Portable => Some(Self::Portable(Portable)),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => Avx2::detect().map(Self::Avx2),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 | Instructions::Amx => Avx512::detect().map(Self::Avx512),
            #[cfg(not(target_arch = "x86_64"))]
            _ => None,
        }
    }

    /// The widest that this processor has.
    pub(super) fn best() -> Self {
        let wide = [Instructions::Avx512, Instructions::Avx2];
        wide.into_iter()
            .find_map(Self::with)
            .unwrap_or(Self::Portable(Portable))
    }

    /// Which these are.
    pub(super) fn instructions(self) -> Instructions {
        match self {
            Self::Portable(_) => Instructions::Portable,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => Instructions::Avx2,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => Instructions::Avx512,
        }
    }

    /// See [`super::lanes::Lanes::arrange_single`].
    pub(super) fn arrange_single(self, table: &mut Vec<f32>) {
        match self {
            Self::Portable(lanes) => lanes.arrange_single(table),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(lanes) => lanes.arrange_single(table),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(lanes) => lanes.arrange_single(table),
        }
    }

    /// See [`super::lanes::Lanes::arrange_double`].
    pub(super) fn arrange_double(self, table: &mut Vec<f64>) {
        match self {
            Self::Portable(lanes) => lanes.arrange_double(table),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(lanes) => lanes.arrange_double(table),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(lanes) => lanes.arrange_double(table),
        }
    }

    /// Does a task with these instructions.
    pub(super) fn run<K: Task>(self, task: K) {
        match self {
            Self::Portable(lanes) => lanes.vectorised(task),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(lanes) => lanes.vectorised(task),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(lanes) => lanes.vectorised(task),
        }
    }
}
