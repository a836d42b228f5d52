//! The `tallow` program: thread settings, argv to the library, a result to an exit code.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tallow::process::confine_library_pools();
    tallow::cli::run(std::env::args_os())
}
