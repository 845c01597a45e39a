//! The vault's root keys, wherever they come from.

use clap::Args;
use secrecy::SecretString;

use super::{given, secret};
use crate::vault::{self, VaultError};

/// The vault's root keys.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Root keys")]
pub struct KeyConfig {
    /// `id:64 hex digits`, several separated by commas; all of them open. The first one seals in an empty
    /// database; from then on `stellwerk root-key rotate` says which. Give them by the environment: other
    /// users see arguments.
    #[arg(
        long,
        env = "STELLWERK_ROOT_KEYS",
        hide_env_values = true,
        value_name = "KEYS",
        value_parser = secret,
    )]
    root_keys: Option<SecretString>,
    /// A single root key of 64 hex digits; its id is `integration`. It comes after the others.
    #[arg(
        long,
        env = "INTEGRATION_ENCRYPTION_KEY",
        hide_env_values = true,
        value_name = "KEY",
        value_parser = secret,
    )]
    integration_encryption_key: Option<SecretString>,
    /// A root key from a passphrase, as `id:salt:passphrase`; `stellwerk root-key new --passphrase` makes the
    /// salt. Random keys are better. It comes last.
    #[arg(
        long,
        env = "STELLWERK_ROOT_PASSPHRASE",
        hide_env_values = true,
        value_name = "PASSPHRASE",
        value_parser = secret,
    )]
    root_passphrase: Option<SecretString>,
}

impl KeyConfig {
    /// All root keys in the form that the vault reads; `None` when there is none. Takes a moment where one
    /// comes from a passphrase.
    pub fn root_keys(&self) -> Result<Option<SecretString>, VaultError> {
        let listed = given(&self.root_keys).map(str::to_owned);
        let single = given(&self.integration_encryption_key).map(|digits| format!("integration:{digits}"));
        let derived = given(&self.root_passphrase).map(vault::from_passphrase).transpose()?;
        let keys: Vec<String> = listed.into_iter().chain(single).chain(derived).collect();
        Ok(if keys.is_empty() { None } else { Some(keys.join(",").into()) })
    }
}

impl KeyConfig {
    /// Takes keys that were found elsewhere, as in the data folder.
    pub fn set_root_keys(&mut self, keys: SecretString) {
        self.root_keys = Some(keys);
    }
}
