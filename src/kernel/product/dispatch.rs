//! Picks the lanes that a task runs on.

use super::lanes::{Lanes, Task};
#[cfg(target_arch = "x86_64")]
use super::lanes_avx2::Avx2;
#[cfg(target_arch = "x86_64")]
use super::lanes_avx512::Avx512;
use super::lanes_portable::Portable;
use crate::kernel::processor::Instructions;

impl Instructions {
    /// Does a task with these instructions, or in plain arithmetic if the processor does not have
    /// them.
    pub(crate) fn run<T: Task>(self, task: T) -> T::Output {
        #[cfg(target_arch = "x86_64")]
        {
            if let (Self::Amx | Self::Avx512, Some(lanes)) = (self, Avx512::detect()) {
                return lanes.vectorised(task);
            }
            if let (Self::Avx2, Some(lanes)) = (self, Avx2::detect()) {
                return lanes.vectorised(task);
            }
        }
        Portable.vectorised(task)
    }
}
