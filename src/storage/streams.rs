//! The standard streams as a kind of storage: `-` is standard input where it is read, and standard
//! output where it is written.
//!
//! A reader goes through its input more than once, so what comes through a pipe is kept in a file
//! without a name (see [`super::spool`]); a file that standard input was redirected from is read
//! where it is. What is written waits in such a file too, and standard output gets all of it once
//! it is whole, or nothing. The only user of the standard streams apart from the console.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::file::{PIECE_BYTES, SharedFile};
use super::identity::Identity;
use super::local::LocalFile;
use super::metadata::Metadata;
use super::spool::{Spool, Spooled};
use super::store::{Held, Lines, Pending, Staged, Store, Tree};
use super::{Location, io_error, vouched};
use crate::background::apart;
use crate::error::{Error, Result};
use crate::interrupt::check_process;

/// How often a process that waits for a stream looks whether it was asked to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The name of both streams.
const NAME: &str = "-";

/// What came through standard input, once it was asked for.
static INPUT: Mutex<Option<Spooled>> = Mutex::new(None);

/// Standard input and standard output.
#[derive(Debug)]
pub(super) struct Streams;

impl Store for Streams {
    /// The input is not waited for: its size is known once it was read.
    fn find(&self, _: &Location) -> Result<Option<Metadata>> {
        let input = INPUT.lock().unwrap_or_else(PoisonError::into_inner);
        let size = input.as_ref().and_then(|input| match input {
            Spooled::Plain(file) => file.metadata().ok().map(|found| found.len()),
            Spooled::Sealed(file) => Some(file.byte_count()),
        });
        Ok(Some(Metadata {
            byte_count: size.unwrap_or(0),
            is_directory: false,
            is_file: true,
        }))
    }

    fn identity(&self, location: &Location) -> Result<Option<Identity>> {
        Ok(Some(self.open(location)?.identity()))
    }

    /// A pipe belongs to the two processes at its ends.
    fn is_open_to_others(&self, _: &Location) -> Result<bool> {
        Ok(false)
    }

    fn canonical(&self, location: &Location) -> Result<Location> {
        Ok(location.clone())
    }

    fn absolute(&self, location: &Location) -> Location {
        location.clone()
    }

    fn list(&self, _: &Location) -> Result<Vec<Location>> {
        Err(no_directory())
    }

    fn open(&self, location: &Location) -> Result<SharedFile> {
        vouched::check_name(location.local_path())?;
        let mut input = INPUT.lock().unwrap_or_else(PoisonError::into_inner);
        let input = match input.as_ref() {
            Some(input) => input,
            None => input.insert(standard_input()?),
        };
        match input {
            Spooled::Plain(file) => {
                let clone = file
                    .try_clone()
                    .map_err(|error| io_error("cannot read standard input", error))?;
                LocalFile::shared(clone, location.local_path())
            }
            Spooled::Sealed(file) => Ok(file.clone()),
        }
    }

    fn create(&self, _: &Location, _overwrite: bool) -> Result<Box<dyn Pending>> {
        Ok(Box::new(Output(waiting_file()?)))
    }

    fn stage(&self, _: &Location, _overwrite: bool) -> Result<Box<dyn Staged>> {
        Err(no_directory())
    }

    fn append(&self, _: &Location) -> Result<Box<dyn Lines>> {
        Err(Error::usage("standard output takes no lines of a log")
            .hint("name a file; one called `-` is `./-`"))
    }

    fn make_directory(&self, _: &Location) -> Result<()> {
        Err(no_directory())
    }

    fn remove(&self, _: &Location) -> Result<()> {
        Ok(())
    }

    /// No other process writes to the standard output of this one.
    fn lock(&self, _: &Location, _owner: &str) -> Result<Box<dyn Held>> {
        Ok(Box::new(Alone))
    }

    fn tree(&self, _: &Location) -> Result<Box<dyn Tree>> {
        Err(no_directory())
    }
}

fn no_directory() -> Error {
    Error::usage("`-` is a standard stream, not a directory")
        .hint("name a directory; one called `-` is `./-`")
}

/// All of standard input, as a file that is read at any position.
fn standard_input() -> Result<Spooled> {
    let stream = io::stdin();
    if stream.is_terminal() {
        return Err(Error::usage("standard input is a terminal").hint(
            "send a table: `COMMAND | tallow …` or `tallow … < rows.csv`; a file called `-` is \
             `./-`",
        ));
    }
    let cannot = |error| io_error("cannot read standard input", error);
    let own = stream.as_fd().try_clone_to_owned().map_err(cannot)?;
    let mut file = File::from(own);
    let is_whole_file =
        file.metadata().map_err(cannot)?.is_file() && file.stream_position().map_err(cannot)? == 0;
    if is_whole_file {
        return Ok(Spooled::Plain(file));
    }
    while_watching(move || spool(file))
}

/// All that comes through a pipe, in a file of its own.
fn spool(mut pipe: File) -> Result<Spooled> {
    let mut spool = waiting_file()?;
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        match pipe.read(&mut buffer) {
            Ok(0) => return spool.end(&Location::from(NAME)).map_err(needs_room),
            Ok(count) => spool.write(&buffer[..count]).map_err(needs_room)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(io_error("cannot read standard input", error)),
        }
    }
}

/// The file in which a stream waits until all of it is there.
fn waiting_file() -> Result<Spool> {
    Spool::create(std::env::temp_dir()).map_err(needs_room)
}

fn needs_room(error: Error) -> Error {
    error.hint("the streams wait in `$TMPDIR`: set it to a directory that has room for them")
}

/// Does what may wait for another process, for as long as this one isn't asked to stop: a system
/// call on a pipe goes on after a signal, so a thread of its own makes it, which ends with the
/// process at the latest.
fn while_watching<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (done, waiting) = mpsc::sync_channel(1);
    apart("tallow-stream", move || _ = done.send(work()));
    loop {
        check_process()?;
        match waiting.recv_timeout(LOOK_EVERY) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Error::failed(
                    "no thread could be had for a standard stream",
                ));
            }
        }
    }
}

/// What waits to go to standard output.
#[derive(Debug)]
struct Output(Spool);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Pending for Output {
    fn byte_count(&mut self) -> Result<u64> {
        Ok(self.0.byte_count())
    }

    fn publish_as(self: Box<Self>, _name: &OsStr) -> Result<()> {
        Err(Error::internal("standard output has no other name"))
    }

    fn publish(self: Box<Self>, _overwrite: bool) -> Result<()> {
        let cannot = |error| io_error("cannot write to standard output", error);
        let whole = self.0.end(&Location::from(NAME)).map_err(needs_room)?;
        let whole = match whole {
            Spooled::Plain(file) => LocalFile::shared(file, Path::new(NAME))?,
            Spooled::Sealed(file) => file,
        };
        while_watching(move || {
            let mut stream = io::stdout().lock();
            whole.read_through(|piece| stream.write_all(piece).map_err(cannot))?;
            stream.flush().map_err(cannot)
        })
    }
}

/// The lock of a stream, which no one else can have.
#[derive(Debug)]
struct Alone;

impl Held for Alone {
    fn previous_owner(&self) -> Option<&str> {
        None
    }

    fn previous_note(&self) -> Option<&str> {
        None
    }

    fn note(&self, _: &str) -> Result<()> {
        Ok(())
    }

    fn leave_behind(&self) {}

    fn give_back(&self) {}
}
