//! Unix sockets: made so that nobody reaches one before its mode and group are right, and never taken from a daemon
//! that is alive.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::config::SocketGroup;
use crate::domain::error::{Error, Kind, Result};

/// What `sun_path` holds on Linux besides its final zero byte.
const LONGEST_PATH: usize = 107;

/// Connections that wait to be accepted; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 1024;

/// A socket that listens, and the file that stands for it. Dropping it removes the file, if it is still this one.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    file: SocketFile,
}

/// The file of a socket, and the lock that keeps other daemons from taking its place.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    device_and_inode: (u64, u64),
    _lock: Lock,
}

impl Socket {
    /// Listens on a path, with mode 0660 whatever the umask. Missing directories above it are made.
    ///
    /// The socket is bound under a name of its own, given its group and mode, told to listen, and then renamed into
    /// place: so a client never finds a socket that it may not use or that does not listen, and what a dead daemon left
    /// is replaced in one step. A lock file beside the socket keeps two daemons from doing this at a time.
    ///
    /// # Errors
    /// [`Kind::Conflict`] if a live process listens there; [`Kind::InvalidArgument`] if the path is too long or is
    /// something else than a socket; otherwise what the file system says.
    pub fn bind(path: &Path, group: Option<&SocketGroup>) -> Result<Self> {
        let length = path.as_os_str().len();
        if length > LONGEST_PATH {
            let text = format!(
                "socket {}: the path has {length} bytes, but a Unix socket's may have {LONGEST_PATH} at most: choose a shorter one",
                path.display()
            );
            return Err(Error::invalid(text));
        }
        let Some(name) = path.file_name() else {
            return Err(Error::invalid(format!("socket {}: not the path of a file", path.display())));
        };
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        make_directories(parent).map_err(|(directory, error)| not_writable(&directory, path, error))?;
        let beside =
            |suffix: &str| parent.join(OsString::from_vec([b".", name.as_bytes(), suffix.as_bytes()].concat()));
        let lock = Lock::take(beside(".lock"), parent, path)?;
        check_replaceable(path)?;

        // Named after the lock file's inode: short, and nobody else's while the lock is held.
        let temporary = parent.join(format!(".{:x}.new", lock.inode));
        // Left by a daemon that died between bind and rename; the lock says that no other one is there now.
        remove_if_there(&temporary)?;
        let bound = Temporary(&temporary);
        let socket = bind_at(parent, &temporary)?;
        give_to_group(&temporary, group)?;
        set_mode(&temporary, 0o660)?;
        rustix::net::listen(&socket, BACKLOG).map_err(|error| failed("listening on", path, error.into()))?;
        let made = fs::symlink_metadata(&temporary).map_err(|error| failed("making", path, error))?;
        fs::rename(&temporary, path).map_err(|error| failed("making", path, error))?;
        std::mem::forget(bound);

        let file = SocketFile { path: path.to_owned(), device_and_inode: (made.dev(), made.ino()), _lock: lock };
        Ok(Self { listener: UnixListener::from(socket), file })
    }

    /// Where the socket is.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// The listener, in non-blocking mode, and the file, which stays as long as it is kept.
    pub fn into_parts(self) -> (UnixListener, SocketFile) {
        (self.listener, self.file)
    }
}

impl SocketFile {
    /// Where the socket is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == self.device_and_inode && found.file_type().is_socket());
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(socket = %self.path.display(), %error, "could not remove the socket; the next start replaces it");
        }
    }
}

/// An exclusive lock on a file that is there for nothing else. Dropping it removes the file.
#[derive(Debug)]
struct Lock {
    _file: File,
    path: PathBuf,
    inode: u64,
}

impl Lock {
    /// `parent` is the directory of the lock and of the socket.
    fn take(path: PathBuf, parent: &Path, socket: &Path) -> Result<Self> {
        loop {
            let nofollow = OFlags::NOFOLLOW.bits() as i32;
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o600)
                .custom_flags(nofollow)
                .open(&path)
                .map_err(|error| not_writable(parent, socket, error))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(in_use(socket)),
                Err(TryLockError::Error(error)) => return Err(failed("locking", socket, error)),
            }
            // The holder before us may have removed the file between our open and our lock: then this lock is on
            // nothing that others see.
            let locked = file.metadata().map_err(|error| failed("locking", socket, error))?;
            let visible = fs::symlink_metadata(&path);
            if visible.is_ok_and(|visible| (visible.dev(), visible.ino()) == (locked.dev(), locked.ino())) {
                return Ok(Self { _file: file, path, inode: locked.ino() });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Safe while the lock is held, because `take` looks whether its file is still the visible one.
        let _ = fs::remove_file(&self.path);
    }
}

/// A name that must not stay behind if something fails.
struct Temporary<'a>(&'a Path);

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.0);
    }
}

/// Fails unless there is nothing at the path or a socket on which nobody listens.
fn check_replaceable(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {}
        Ok(_) => {
            let text = format!(
                "socket {}: there is something else than a socket at this path; remove it or give --host another path",
                path.display()
            );
            return Err(Error::invalid(text));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("looking at", path, error)),
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let answer = SocketAddrUnix::new(path).and_then(|address| {
        let probe = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::net::connect(&probe, &address)
    });
    match answer {
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(()),
        // A full queue, or a socket of another type: somebody is there.
        Ok(()) | Err(Errno::AGAIN | Errno::PROTOTYPE | Errno::INPROGRESS) => Err(in_use(path)),
        Err(error) => Err(failed("looking at", path, error.into())),
    }
}

fn bind_at(parent: &Path, temporary: &Path) -> Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let bind = || {
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        match SocketAddrUnix::new(temporary) {
            Ok(address) => rustix::net::bind(&socket, &address)?,
            Err(Errno::NAMETOOLONG) => {
                // The final name is shorter than this one, and just fits: reach this one through its directory.
                let directory =
                    rustix::fs::open(parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
                let mut short = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
                short.extend(temporary.file_name());
                rustix::net::bind(&socket, &SocketAddrUnix::new(&short)?)?;
            }
            Err(error) => return Err(error),
        }
        // No more than the owner's until the group is set; nothing can connect before listen anyway.
        rustix::fs::chmod(temporary, Mode::from_raw_mode(0o600))?;
        Ok(socket)
    };
    bind().map_err(|error: Errno| failed("making", temporary, error.into()))
}

fn give_to_group(path: &Path, group: Option<&SocketGroup>) -> Result<()> {
    if let Some(group) = group {
        match std::os::unix::fs::chown(path, None, Some(group.gid)) {
            Ok(()) => return Ok(()),
            // Someone who is neither root nor in the default group keeps the socket to their own.
            Err(error) if !group.required && error.kind() == ErrorKind::PermissionDenied => {
                tracing::debug!(group = group.name, "the socket cannot be given to the default group");
            }
            Err(error) => {
                let text =
                    format!("cannot give the socket to group {:?} (only root and members of it can)", group.name);
                return Err(Error::new(Kind::PermissionDenied, text).with_cause(error));
            }
        }
    }
    // A directory with the set-group-ID bit would hand the socket to its own group.
    let own = rustix::process::getegid().as_raw();
    std::os::unix::fs::chown(path, None, Some(own)).map_err(|error| failed("making", path, error))
}

/// Makes the directories that are missing, such that others may pass through but not list them: the socket's own mode
/// decides who may use it.
///
/// # Errors
/// The directory that cannot be made, with the reason.
fn make_directories(path: &Path) -> Result<(), (PathBuf, std::io::Error)> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
    for directory in missing.into_iter().rev() {
        match DirBuilder::new().mode(0o711).create(directory) {
            Ok(()) => fs::set_permissions(directory, fs::Permissions::from_mode(0o711))
                .map_err(|error| (directory.to_owned(), error))?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err((directory.to_owned(), error)),
        }
    }
    Ok(())
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(|error| failed("setting the mode of", path, error))
}

fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("removing", path, error)),
        _ => Ok(()),
    }
}

fn in_use(path: &Path) -> Error {
    Error::new(
        Kind::Conflict,
        format!("socket {} is in use by another process: stop that one, or give --host another path", path.display()),
    )
}

/// That a socket cannot be made because of its directory. The cause says why.
fn not_writable(directory: &Path, socket: &Path, cause: std::io::Error) -> Error {
    let (directory, socket) = (directory.display(), socket.display());
    let text = format!(
        "socket {socket} cannot be made: directory {directory} cannot be used (give --host a path that this user may write to)"
    );
    Error::new(Kind::PermissionDenied, text).with_cause(cause)
}

fn failed(what: &str, path: &Path, error: std::io::Error) -> Error {
    Error::internal(format!("{what} {}", path.display()), error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    fn kind_of(error: Error) -> (Kind, String) {
        (error.kind(), error.public().to_owned())
    }

    #[test]
    fn the_socket_has_its_mode_and_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("made/here/a.sock");
        let socket = Socket::bind(&path, None).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o660);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o7777, 0o711);
        UnixStream::connect(&path).unwrap();
        drop(socket);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
    }

    #[test]
    fn a_live_socket_is_refused_and_a_stale_one_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sock");
        let first = Socket::bind(&path, None).unwrap();
        let expected = (Kind::Conflict, in_use(&path).public().to_owned());
        assert_eq!(kind_of(Socket::bind(&path, None).unwrap_err()), expected);
        UnixStream::connect(&path).unwrap();
        drop(first);

        // Of another program, which knows no lock file.
        let stranger = UnixListener::bind(&path).unwrap();
        assert_eq!(kind_of(Socket::bind(&path, None).unwrap_err()), expected);
        drop(stranger);
        assert!(path.exists());
        let second = Socket::bind(&path, None).unwrap();
        UnixStream::connect(&path).unwrap();
        drop(second);
    }

    #[test]
    fn only_the_own_socket_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sock");
        let ours = Socket::bind(&path, None).unwrap();
        fs::remove_file(&path).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        drop(ours);
        assert!(path.exists());
    }

    #[test]
    fn what_is_no_socket_stays() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["file", "directory", "link"] {
            let path = directory.path().join(name);
            match name {
                "file" => fs::write(&path, "precious").unwrap(),
                "directory" => fs::create_dir(&path).unwrap(),
                _ => std::os::unix::fs::symlink("file", &path).unwrap(),
            }
            let (kind, text) = kind_of(Socket::bind(&path, None).unwrap_err());
            assert_eq!(kind, Kind::InvalidArgument);
            assert!(text.contains("something else than a socket"), "{text}");
        }
        assert_eq!(fs::read_to_string(directory.path().join("file")).unwrap(), "precious");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
    }

    #[test]
    fn the_longest_path_works_and_a_longer_one_says_why() {
        let directory = tempfile::tempdir().unwrap();
        let room = LONGEST_PATH - directory.path().as_os_str().len() - 1;
        let path = directory.path().join("s".repeat(room));
        let socket = Socket::bind(&path, None).unwrap();
        UnixStream::connect(&path).unwrap();
        drop(socket);
        let (kind, text) = kind_of(Socket::bind(&directory.path().join("s".repeat(room + 1)), None).unwrap_err());
        assert_eq!(kind, Kind::InvalidArgument);
        assert!(text.contains("the path has 108 bytes, but a Unix socket's may have 107 at most"), "{text}");
    }

    #[test]
    fn a_short_name_in_a_long_directory_works() {
        let directory = tempfile::tempdir().unwrap();
        let room = LONGEST_PATH - directory.path().as_os_str().len() - 3;
        let path = directory.path().join("d".repeat(room)).join("s");
        let _socket = Socket::bind(&path, None).unwrap();
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn the_group_is_set() {
        let directory = tempfile::tempdir().unwrap();
        let own = fs::metadata(directory.path()).unwrap().gid();
        // Root may give a file to any group, and everybody to a group of their own.
        let mut others = rustix::process::getgroups().unwrap().into_iter().map(|group| group.as_raw());
        let gid = if rustix::process::geteuid().is_root() { Some(4321) } else { others.find(|gid| *gid != own) };
        let Some(gid) = gid else {
            assert!(std::env::var_os("LOADLINE_REQUIRE_CLIENTS").is_none(), "missing: a second group, or root");
            return eprintln!("skipped for want of a second group, or of root");
        };
        let path = directory.path().join("a.sock");
        let group = SocketGroup { name: "some".into(), gid, required: true };
        let _socket = Socket::bind(&path, Some(&group)).unwrap();
        let made = fs::metadata(&path).unwrap();
        assert_eq!((made.gid(), made.mode() & 0o7777), (gid, 0o660));
    }
}
