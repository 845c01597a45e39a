//! `stellwerk root-key`.

use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Failure, database::Access, print, say};
use crate::{
    config::span,
    domain::root_key::{self, Progress, Stuck},
    store,
    vault::{self, Vault},
};

#[derive(Subcommand, Debug)]
pub enum RootKey {
    /// Make a root key, to be put into STELLWERK_ROOT_KEYS. Needs no database.
    New(New),
    /// List the root keys: which one seals, what each one wraps, and which instances hold it.
    List(List),
    /// Let another root key seal, and wrap every tenant's key anew by it, while the servers run. May be
    /// repeated at any time.
    Rotate(Rotate),
}

#[derive(Args, Debug)]
pub struct New {
    /// A name for it, 1 to 32 of [a-z0-9-]; it is not secret.
    #[arg(long, value_name = "ID")]
    id: String,
    /// Make the salt for a passphrase instead.
    #[arg(long)]
    passphrase: bool,
    /// Answer with one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub struct List {
    /// Answer with one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

#[derive(Args, Debug)]
pub struct Rotate {
    /// The root key that is to seal. Default: the first one given.
    #[arg(long, value_name = "ID")]
    to: Option<String>,
    /// How long to wait for running instances that do not hold it, or have not heard of the switch.
    #[arg(long, value_name = "SPAN", default_value = "2m", value_parser = span)]
    wait: Duration,
    /// Answer with one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

impl RootKey {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::New(command) => command.run(),
            Self::List(command) => command.run().await,
            Self::Rotate(command) => command.run().await,
        }
    }
}

impl New {
    fn run(self) -> Result<(), Failure> {
        let failed = |error| Failure::failed(&error);
        let (name, value) = if self.passphrase {
            ("STELLWERK_ROOT_PASSPHRASE", format!("{}:{}:", self.id, vault::new_salt().map_err(failed)?))
        } else {
            ("STELLWERK_ROOT_KEYS", Vault::generate_root_key(&self.id).map_err(failed)?)
        };
        // Says whether the id can be one.
        let tried = if self.passphrase { format!("{}:{}", self.id, "0".repeat(64)) } else { value.clone() };
        Vault::from_root_keys(&tried).map_err(|error| Failure::refused(&error))?;
        let ending = if self.passphrase { "<the passphrase, 20 characters or more>" } else { "" };
        print(self.json, &json!({ "variable": name, "value": value }), &[format!("{name}={value}{ending}")]);
        Ok(())
    }
}

impl List {
    async fn run(self) -> Result<(), Failure> {
        let domain = self.access.domain_to_look().await?;
        let active = store::root_key::active(&domain.store).await?;
        let used = store::root_key::used(&domain.store).await?;
        let instances = store::root_key::instances(&domain.store).await?;
        let mut ids: Vec<String> = domain.vault.root_key_ids().map(str::to_owned).collect();
        let others = used.iter().map(|key| &key.root_key_id);
        for id in others.chain(instances.iter().flat_map(|one| &one.root_key_ids)) {
            if !ids.contains(id) {
                ids.push(id.clone());
            }
        }
        let mut rows = Vec::new();
        let mut lines = Vec::new();
        for id in ids {
            let tenants = used.iter().find(|key| key.root_key_id == id).map_or(0, |key| key.tenants);
            let held_by = instances.iter().filter(|one| one.root_key_ids.contains(&id)).count();
            let seals = active.as_deref() == Some(id.as_str());
            let word = if seals { "seals" } else { "" };
            lines.push(format!(
                "{id:32}  {word:5}  wraps {tenants} tenants' keys  held by {held_by} of {} instances",
                instances.len()
            ));
            rows.push(json!({ "id": id, "seals": seals, "tenants": tenants, "held_by": held_by }));
        }
        print(self.json, &json!({ "root_keys": rows, "instances": instances.len() }), &lines);
        Ok(())
    }
}

impl Rotate {
    async fn run(self) -> Result<(), Failure> {
        let domain = self.access.domain().await?;
        let to = match &self.to {
            Some(id) => id.clone(),
            None => domain.vault.root_key_ids().next().unwrap_or_default().to_owned(),
        };
        let began = Instant::now();
        let mut last = None;
        let rotated = root_key::rotate(&domain, &to, self.wait, |progress| {
            if !self.json && last.as_ref() != Some(&progress) {
                say(&line(&to, &progress));
            }
            last = Some(progress);
        });
        let wrapped = rotated.await.map_err(|stuck| match stuck {
            Stuck::Own(error) => error.into(),
            stuck @ (Stuck::NotHeld { .. } | Stuck::NotSettled(_)) => Failure::failed(&stuck),
            stuck @ Stuck::Key(_) => Failure::refused(&stuck),
        })?;
        let idle: Vec<String> =
            domain.vault.root_key_ids().filter(|id| *id != to).map(str::to_owned).collect();
        let mut lines =
            vec![format!("{to} seals, and wraps every tenant's key; {wrapped} were wrapped anew")];
        if !idle.is_empty() {
            lines.push(format!("{} may go when `stellwerk doctor` says so", idle.join(", ")));
        }
        let duration_ms = began.elapsed().as_millis() as u64;
        let value =
            json!({ "root_key_id": to, "wrapped": wrapped, "idle": idle, "duration_ms": duration_ms });
        print(self.json, &value, &lines);
        Ok(())
    }
}

fn line(to: &str, progress: &Progress) -> String {
    match progress {
        Progress::Waiting { without, instances } => {
            format!("waiting: {without} of {instances} running instances do not hold {to}")
        }
        Progress::Switched => format!("{to} seals from now on"),
        Progress::Wrapped { done, left } => format!("{done} tenants' keys wrapped anew, {left} left"),
        Progress::Settling { behind } => format!("waiting: {behind} running instances have not switched yet"),
    }
}
