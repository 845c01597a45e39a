//! Which database a command works on: the one that was named, else the private cluster of the data folder.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::SecretString;

use super::Failure;
use crate::{
    app,
    caller::Caller,
    cluster::OWNER,
    config::{DatabaseConfig, KeyConfig, PublicUrlConfig},
    domain::{Domain, access, root_key},
    ids::TenantId,
    store::connect::PoolConfig,
    vault::Vault,
};

/// The private cluster's database.
pub const DATABASE: &str = "stellwerk";
/// The service's login there; it has no rights but those of the role stellwerk_app.
pub const SERVICE_LOGIN: &str = "stellwerk_service";

/// What every command needs that works on a tenant's records.
#[derive(Args, Clone, Debug)]
pub struct Access {
    #[command(flatten)]
    pub database: DatabaseConfig,
    #[command(flatten)]
    pub keys: KeyConfig,
    #[command(flatten)]
    pub public: PublicUrlConfig,
}

/// A database, as the service and as its owner.
#[derive(Clone, Debug)]
pub struct Database {
    pub service_url: SecretString,
    pub owner_url: SecretString,
    /// In the data folder, with the root key beside it.
    pub is_private: bool,
}

impl Database {
    /// The named database, else the private cluster if it runs.
    pub fn find(config: &DatabaseConfig) -> Result<Self, Failure> {
        match (config.url(), config.migration_url()) {
            (Some(url), Some(owner_url)) => Self::named(url, owner_url),
            _ => private_socket(&config.data_dir).map(|socket| Self::private(&socket)),
        }
    }

    /// The URL of the tables' owner: who migrates need not know the service's password.
    pub fn find_owner(config: &DatabaseConfig) -> Result<SecretString, Failure> {
        match (config.url(), config.migration_url()) {
            (None, Some(owner_url)) => {
                check_url("STELLWERK_MIGRATION_DATABASE_URL", owner_url)?;
                Ok(owner_url.into())
            }
            _ => Ok(Self::find(config)?.owner_url),
        }
    }

    /// A database somebody else runs.
    pub fn named(url: &str, owner_url: &str) -> Result<Self, Failure> {
        check_url("DATABASE_URL", url)?;
        check_url("STELLWERK_MIGRATION_DATABASE_URL", owner_url)?;
        Ok(Self { service_url: url.into(), owner_url: owner_url.into(), is_private: false })
    }

    /// The cluster whose socket lies in `socket_dir`.
    pub fn private(socket_dir: &str) -> Self {
        let host = utf8_percent_encode(socket_dir, NON_ALPHANUMERIC);
        let url = |user: &str| format!("postgres://{user}@/{DATABASE}?host={host}").into();
        Self { service_url: url(SERVICE_LOGIN), owner_url: url(OWNER), is_private: true }
    }
}

impl Access {
    /// The verbs over the database, once its schema and the root keys have been found to fit.
    pub async fn domain(&self) -> Result<Domain, Failure> {
        let domain = self.domain_to_look().await?;
        root_key::follow(&domain).await?;
        Ok(domain)
    }

    /// The same for who seals nothing: whatever the root keys.
    pub async fn domain_to_look(&self) -> Result<Domain, Failure> {
        let database = Database::find(&self.database)?;
        check_schema(&database, &self.database.pool()).await?;
        self.domain_of(&database)
    }

    /// The same without a look at the schema.
    pub fn domain_of(&self, database: &Database) -> Result<Domain, Failure> {
        use secrecy::ExposeSecret;
        let given = self.keys.root_keys().map_err(|error| Failure::refused(&error))?;
        let root_keys = match given {
            Some(keys) => keys,
            None if database.is_private => read_root_key(&self.database.data_dir)?,
            None => return Err(Failure::refused(&crate::vault::VaultError::NoRootKey)),
        };
        let url = database.service_url.expose_secret();
        Ok(app::domain(url, &self.database.pool(), &root_keys, self.public.base())?)
    }
}

/// Says which setting cannot be read, and does not repeat it.
fn check_url(name: &str, url: &str) -> Result<(), Failure> {
    url.parse::<tokio_postgres::Config>().map(drop).map_err(|error| {
        Failure::refused_because(format!("{name} cannot be read as a URL: {}", Failure::line(&error)))
    })
}

/// Refuses a database whose schema or login does not fit.
pub async fn check_schema(database: &Database, pool: &PoolConfig) -> Result<(), Failure> {
    use secrecy::ExposeSecret;
    crate::store::migrate::check(database.service_url.expose_secret(), pool)
        .await?
        .map_err(|error| Failure::refused(&error))
}

/// Who does what a command asks for: the server itself, inside a tenant that exists.
pub async fn caller_in(domain: &Domain, tenant: TenantId) -> Result<Caller, Failure> {
    let caller = Caller::system(tenant);
    access::get_settings(domain, &caller).await?;
    Ok(caller)
}

/// PostgreSQL writes it into the fifth line of postmaster.pid, its state into the eighth (its `miscadmin.h`).
fn private_socket(data_dir: &Path) -> Result<String, Failure> {
    let path = data_dir.join("postgres/postmaster.pid");
    let nobody = || {
        Failure::refused_because(format!(
            "no database: set DATABASE_URL, or start `stellwerk dev`, whose own database would be in {}",
            data_dir.display()
        ))
    };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(nobody()),
        Err(error) => {
            let line = format!(
                "set DATABASE_URL, or run this as who runs `stellwerk dev`: {} cannot be read",
                path.display()
            );
            return Err(Failure::refused_because(format!("{line}: {error}")));
        }
    };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    match (lines.get(4), lines.get(7)) {
        (Some(socket), Some(&"ready")) if !socket.is_empty() => Ok((*socket).into()),
        _ => Err(nobody()),
    }
}

fn root_key_path(data_dir: &Path) -> PathBuf {
    data_dir.join("root-key")
}

fn read_root_key(data_dir: &Path) -> Result<SecretString, Failure> {
    let path = root_key_path(data_dir);
    match fs::read_to_string(&path) {
        Ok(key) => Ok(key.trim().to_owned().into()),
        Err(error) => {
            Err(Failure::refused_because(format!("the root key {} cannot be read: {error}", path.display())))
        }
    }
}

/// The root key of the data folder, made on the first run.
pub fn root_key(data_dir: &Path) -> Result<SecretString, Failure> {
    let path = root_key_path(data_dir);
    if !path.exists() {
        let key = Vault::generate_root_key("dev").map_err(|error| Failure::failed(&error))?;
        write_private(&path, &key)?;
    }
    read_root_key(data_dir)
}

/// Writes a secret that only its owner can read, whole or not at all.
pub fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    let half = path.with_extension("new");
    let write = || -> io::Result<()> {
        let _ = fs::remove_file(&half);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&half)?;
        io::Write::write_all(&mut file, text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&half, path)
    };
    write()
        .map_err(|error| Failure::refused_because(format!("{} cannot be written: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use std::{env, os::unix::fs::PermissionsExt, process};

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = env::temp_dir().join(format!("stellwerk-cli-{name}-{}", process::id()));
            fs::create_dir_all(path.join("postgres")).unwrap();
            Self(path)
        }

        fn pid_file(&self, text: &str) -> Result<String, String> {
            fs::write(self.0.join("postgres/postmaster.pid"), text).unwrap();
            private_socket(&self.0).map_err(|failure| failure.to_string())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_private_cluster_is_found_by_its_pid_file_once_it_is_ready() {
        let folder = Folder::new("socket");

        assert!(private_socket(&folder.0).unwrap_err().to_string().contains("set DATABASE_URL"));
        assert!(folder.pid_file("1\n/d\n0\n5432\n/run/s\n\n  1 2\nstarting\n").is_err());
        assert_eq!(folder.pid_file("1\n/d\n0\n5432\n/run/s\n\n  1 2\nready   \n").unwrap(), "/run/s");
    }

    #[test]
    fn a_root_key_is_made_once_and_only_its_owner_reads_it() {
        use secrecy::ExposeSecret;
        let folder = Folder::new("root-key");

        let first = root_key(&folder.0).unwrap();
        let second = root_key(&folder.0).unwrap();

        assert_eq!(first.expose_secret(), second.expose_secret());
        assert!(Vault::from_root_keys(first.expose_secret()).is_ok());
        let mode = fs::metadata(folder.0.join("root-key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
