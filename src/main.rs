//! The `tallow` program: thread settings, argv to the library, a result to an exit code.

use std::os::fd::BorrowedFd;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Looks at standard output before Rust's runtime opens a harmless file in the place of one that is
/// closed.
#[used]
#[expect(unsafe_code, reason = "the only way to look before the runtime begins")]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look_at_output;

extern "C" fn look_at_output() {
    #[expect(
        unsafe_code,
        reason = "a descriptor that may be closed has no safe type"
    )]
    // SAFETY: the descriptor is asked about once, and not kept.
    let output = unsafe { BorrowedFd::borrow_raw(1) };
    if rustix::io::fcntl_getfd(output).is_err() {
        tallow::process::note_closed_output();
    }
}

fn main() -> ExitCode {
    tallow::process::confine_library_pools();
    tallow::cli::run(std::env::args_os())
}
