//! This program, as it lies on disk now: what is started next may be another version of it.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use command_fds::{CommandFdExt, FdMapping};

/// Systemd's convention: the first descriptor that is handed in.
const FIRST_FD: i32 = 3;

/// Where the program lies. Found out while it runs from there: once the file was replaced, the
/// kernel only says that it was.
#[derive(Clone, Debug)]
pub struct Program(PathBuf);

impl Program {
    /// The one that runs, by the name it was started by: a link that is turned to another version
    /// is followed.
    pub fn ours() -> io::Result<Self> {
        let running = std::env::current_exe()?;
        let said = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
        let is_ours = |path: &PathBuf| path.canonicalize().is_ok_and(|it| it == running);
        let named = if said.components().count() > 1 {
            std::path::absolute(said).ok().filter(is_ours)
        } else {
            let folders = std::env::var_os("PATH").unwrap_or_default();
            let mut found = std::env::split_paths(&folders).map(|folder| folder.join(&said));
            found.find(is_ours)
        };
        Ok(Self(named.unwrap_or(running)))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Whether what lies there can be run at all; why not, in words.
    pub fn check(&self) -> Result<(), String> {
        let path = self.0.display();
        let cannot = |error: io::Error| format!("{path} cannot be read: {error}");
        let mut file = File::open(&self.0).map_err(cannot)?;
        let mode = file.metadata().map_err(cannot)?.permissions().mode();
        let mut begin = [0; 4];
        // One that is shorter is none either.
        let _ = file.read_exact(&mut begin);
        // A shell would take anything else for words of its own.
        if mode & 0o111 == 0 || !(begin == *b"\x7fELF" || begin.starts_with(b"#!")) {
            return Err(format!("{path} is no program"));
        }
        Ok(())
    }

    /// How it is started with these sockets at the numbers systemd would give them.
    pub fn command<S: AsRef<OsStr>, F: AsFd>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        sockets: &[F],
    ) -> io::Result<Command> {
        // `LISTEN_PID` must name the process that gets the sockets, which nobody knows before it is
        // there: a shell sets it and becomes that process. The script never changes.
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "LISTEN_PID=$$ exec \"$0\" \"$@\""])
            .arg(&self.0)
            .args(arguments)
            .env("LISTEN_FDS", sockets.len().to_string())
            .env_remove("LISTEN_FDNAMES");
        let mut mappings = Vec::new();
        for (socket, child_fd) in sockets.iter().zip(FIRST_FD..) {
            let parent_fd: OwnedFd = socket.as_fd().try_clone_to_owned()?;
            mappings.push(FdMapping { parent_fd, child_fd });
        }
        command.fd_mappings(mappings).map_err(io::Error::other)?;
        Ok(command)
    }
}
