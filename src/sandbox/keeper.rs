//! Worlds that outlive their double: one JSON file, written whole with every change.
//!
//! A change is in the file before anybody is told of it. Written later, a caller who was killed together
//! with the double would know of records, and show tokens, that the double has never heard of. This costs
//! time in proportion to the world, so it is for small ones: an office of eighteen phases is 40 kB.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The file cannot be read or written, or what it holds is no world.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be used", path.display())]
pub struct Unusable {
    path: PathBuf,
    source: io::Error,
}

/// Where a world is kept, if it is.
pub(crate) struct Keeper {
    path: Option<PathBuf>,
    has_begun: AtomicBool,
}

impl Keeper {
    /// With the world that was kept there; none if nothing was yet.
    pub(crate) fn open<W: DeserializeOwned>(path: Option<&Path>) -> Result<(Self, Option<W>), Unusable> {
        let world = path.map(read).transpose()?.flatten();
        let has_begun = AtomicBool::new(world.is_some());
        Ok((Self { path: path.map(Path::to_owned), has_begun }, world))
    }

    /// Keeps this world and every change of it from now on; until then nothing, so that nobody finds one
    /// that is half made.
    pub(crate) fn begin(&self, world: &impl Serialize) -> Result<(), Unusable> {
        let Some(path) = &self.path else { return Ok(()) };
        write(path, world)?;
        self.has_begun.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn keep(&self, world: &(impl Serialize + ?Sized)) {
        let Some(path) = self.path.as_ref().filter(|_| self.has_begun.load(Ordering::Relaxed)) else {
            return;
        };
        // Whoever made the change cannot help it, and the next change may be written.
        if let Err(Unusable { path, source }) = write(path, world) {
            tracing::error!(path = %path.display(), error = %source, "the double's world could not be kept");
        }
    }
}

fn read<W: DeserializeOwned>(path: &Path) -> Result<Option<W>, Unusable> {
    let read = match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    read.map_err(|source| Unusable { path: path.to_owned(), source })
}

/// Whole or not at all, and for its owner only: it holds tokens. Not synced to the disk, because it has to
/// outlive this process and not the machine.
fn write(path: &Path, world: &(impl Serialize + ?Sized)) -> Result<(), Unusable> {
    let half = path.with_extension("new");
    let write = || -> io::Result<()> {
        let bytes = serde_json::to_vec(world)?;
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        let _ = fs::remove_file(&half);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&half)?;
        file.write_all(&bytes)?;
        fs::rename(&half, path)
    };
    write().map_err(|source| Unusable { path: path.to_owned(), source })
}

/// A lock on a world. What was changed under it is kept before the lock is given back.
pub(crate) struct Changing<'a, G: Deref<Target: Serialize>> {
    lock: G,
    keeper: &'a Keeper,
    is_changed: bool,
}

impl<'a, G: Deref<Target: Serialize>> Changing<'a, G> {
    pub(crate) fn new(lock: G, keeper: &'a Keeper) -> Self {
        Self { lock, keeper, is_changed: false }
    }
}

impl<G: Deref<Target: Serialize>> Deref for Changing<'_, G> {
    type Target = G::Target;

    fn deref(&self) -> &G::Target {
        &self.lock
    }
}

impl<G: DerefMut<Target: Serialize>> DerefMut for Changing<'_, G> {
    fn deref_mut(&mut self) -> &mut G::Target {
        self.is_changed = true;
        &mut self.lock
    }
}

impl<G: Deref<Target: Serialize>> Drop for Changing<'_, G> {
    fn drop(&mut self) {
        if self.is_changed {
            self.keeper.keep(&*self.lock);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Mutex;
    use std::{env, process};

    use super::*;

    /// A place for worlds that goes with the test.
    pub(crate) struct Folder(PathBuf);

    impl Folder {
        /// `name` is the test's own.
        pub(crate) fn new(name: &str) -> Self {
            Self(env::temp_dir().join(format!("stellwerk-kept-{name}-{}", process::id())))
        }

        pub(crate) fn file(&self) -> PathBuf {
            self.0.join("sandbox/world.json")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn kept(file: &Path) -> Option<Vec<u32>> {
        Keeper::open(Some(file)).unwrap().1
    }

    #[test]
    fn a_change_is_kept_before_the_lock_is_given_back_and_nothing_before_the_beginning() {
        let folder = Folder::new("change");
        let (keeper, found) = Keeper::open::<Vec<u32>>(Some(&folder.file())).unwrap();
        let world = Mutex::new(vec![1]);
        let lock = || Changing::new(world.lock().unwrap(), &keeper);

        lock().push(2);
        let too_early = kept(&folder.file());
        keeper.begin(&*lock()).unwrap();
        lock().push(3);

        assert_eq!((found, too_early), (None, None));
        assert_eq!(kept(&folder.file()), Some(vec![1, 2, 3]));
    }

    #[test]
    fn who_only_looks_writes_nothing() {
        let folder = Folder::new("look");
        let (keeper, _) = Keeper::open::<Vec<u32>>(Some(&folder.file())).unwrap();
        keeper.begin(&vec![1]).unwrap();
        fs::remove_file(folder.file()).unwrap();

        let seen = Changing::new(Mutex::new(vec![1]).lock().unwrap(), &keeper).len();

        assert_eq!((seen, folder.file().exists()), (1, false));
    }

    #[test]
    fn only_the_owner_can_read_it() {
        let folder = Folder::new("mode");
        let (keeper, _) = Keeper::open::<Vec<u32>>(Some(&folder.file())).unwrap();

        keeper.begin(&vec![1]).unwrap();

        let mode = fs::metadata(folder.file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_holds_no_world_is_refused_and_left_alone() {
        let folder = Folder::new("broken");
        fs::create_dir_all(folder.0.join("sandbox")).unwrap();
        fs::write(folder.file(), "[1, 2").unwrap();

        let refused = Keeper::open::<Vec<u32>>(Some(&folder.file())).err().unwrap();

        assert_eq!(refused.to_string(), format!("{} cannot be used", folder.file().display()));
        assert_eq!(fs::read_to_string(folder.file()).unwrap(), "[1, 2");
    }
}
