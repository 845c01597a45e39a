//! `stellwerk migrate`.

use clap::Args;
use secrecy::ExposeSecret;
use serde_json::json;

use super::{Failure, database::Database, print};
use crate::{config::DatabaseConfig, store::migrate};

/// Bring the database up to this version, as the owner of its tables: a login with BYPASSRLS (or a superuser)
/// that may create roles. Running it twice changes nothing; several at once wait for each other. The owner's
/// URL is enough (STELLWERK_MIGRATION_DATABASE_URL); the service's is used only where no other is given.
#[derive(Args, Debug)]
pub struct Migrate {
    /// Let this login of the database take the service's role.
    /// It must exist, without SUPERUSER and BYPASSRLS.
    #[arg(long, value_name = "LOGIN")]
    service_role: Option<String>,
    /// Undo every migration instead. All data is lost.
    #[arg(long, requires = "yes")]
    down: bool,
    /// Yes, lose all data.
    #[arg(long, requires = "down")]
    yes: bool,
    /// Answer with one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: DatabaseConfig,
}

impl Migrate {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let owner_url = Database::find_owner(&self.database)?;
        let (url, pool) = (owner_url.expose_secret(), self.database.pool());
        if self.down {
            let undone = migrate::down(url, &pool).await?;
            print(self.json, &json!({ "undone": undone }), &[format!("migrations undone: {undone}")]);
            return Ok(());
        }
        let run = migrate::up(url, &pool).await?;
        let mut lines = vec![format!("migrations run: {run}")];
        if let Some(login) = &self.service_role {
            migrate::grant_service_role(url, &pool, login).await?;
            lines.push(format!("{login} may take the service's role"));
        }
        let version = migrate::known_versions()?.pop();
        print(
            self.json,
            &json!({ "run": run, "version": version, "service_role": self.service_role }),
            &lines,
        );
        Ok(())
    }
}
