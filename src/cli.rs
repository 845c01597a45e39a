//! The command line: one file per sub-command.
//! Results go to standard output, words about them to standard error.

pub mod api_key;
pub mod database;
pub mod dev;
pub mod doctor;
pub mod migrate;
pub mod outbox;
pub mod provider;
pub mod root_key;
pub mod sandbox;
pub mod serve;
pub mod tenant;
pub mod webhook;

use std::{
    error::Error as StdError,
    fmt,
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use serde_json::Value;

use crate::{
    app::SetupError,
    cluster::ClusterError,
    config::LogConfig,
    error::{Error, Source},
    serve::BindError,
    store::migrate::SchemaError,
    telemetry::{self, Chain},
    vault::VaultError,
};

/// stellwerk keeps people, appointments and projects in step across the tools a practice or company works
/// with.
///
/// Every setting can also be given by the environment variable named beside it. Exit codes: 0 done, 1 failed,
/// 2 wrong usage, 3 refused because of the configuration or the database's version.
#[derive(Parser, Debug)]
#[command(name = "stellwerk", version, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    log: LogConfig,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Serve gRPC, grpc-web and webhooks, and work on the queue, until SIGINT or SIGTERM.
    Serve(Box<serve::Serve>),
    /// Run everything on this machine: PostgreSQL, a demo tenant, and a booking tool that sends events.
    Dev(Box<dev::Dev>),
    /// Bring the database up to this version.
    Migrate(migrate::Migrate),
    /// Tenants.
    #[command(subcommand)]
    Tenant(tenant::Tenant),
    /// The keys that everything sealed hangs on.
    #[command(subcommand)]
    RootKey(root_key::RootKey),
    /// API keys of callers.
    #[command(subcommand)]
    ApiKey(api_key::ApiKey),
    /// Addresses that providers post to.
    #[command(subcommand)]
    Webhook(webhook::Webhook),
    /// Work that waits, and work that was given up.
    #[command(subcommand)]
    Outbox(outbox::Outbox),
    /// What can be linked.
    #[command(subcommand)]
    Provider(provider::Provider),
    /// Doubles of the providers, on this machine.
    #[command(subcommand)]
    Sandbox(sandbox::Sandbox),
    /// Look whether everything a server needs is in order, and say what to do.
    Doctor(Box<doctor::Doctor>),
}

/// Why a command ended: one line, and the exit code.
#[derive(Debug)]
pub struct Failure {
    exit_code: u8,
    line: String,
}

impl Cli {
    /// Runs the command and tells how it went.
    pub fn run(self) -> ExitCode {
        match self.try_run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                eprintln!("stellwerk: {failure}");
                ExitCode::from(failure.exit_code)
            }
        }
    }

    fn try_run(self) -> Result<(), Failure> {
        telemetry::init(self.log.log_format, &self.log.log).map_err(|error| Failure::refused(&error))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::failed(&error))?;
        let result = runtime.block_on(self.command.run());
        // What still runs has been told to end; a look-up that hangs in the system must not keep the process.
        runtime.shutdown_timeout(std::time::Duration::from_millis(500));
        result
    }
}

impl Command {
    async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Serve(command) => command.run().await,
            Self::Dev(command) => command.run().await,
            Self::Migrate(command) => command.run().await,
            Self::Tenant(command) => command.run().await,
            Self::RootKey(command) => command.run().await,
            Self::ApiKey(command) => command.run().await,
            Self::Webhook(command) => command.run().await,
            Self::Outbox(command) => command.run().await,
            Self::Provider(command) => command.run(),
            Self::Sandbox(command) => command.run().await,
            Self::Doctor(command) => command.run().await,
        }
    }
}

impl Failure {
    /// Something went wrong; trying again may help.
    pub fn failed(error: &dyn StdError) -> Self {
        Self { exit_code: 1, line: Self::line(error) }
    }

    /// The configuration, or the database's version, must change first.
    pub fn refused(error: &dyn StdError) -> Self {
        Self { exit_code: 3, line: Self::line(error) }
    }

    /// The same, in our own words.
    pub fn refused_because(line: impl Into<String>) -> Self {
        Self { exit_code: 3, line: line.into() }
    }

    /// An error and its sources as one line.
    pub fn from_chain(error: &Error) -> String {
        Self::from_ref(error).line
    }

    /// Libraries print parameters and several lines.
    fn line(error: &dyn StdError) -> String {
        let text = Chain(error).to_string();
        telemetry::redact(&text.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned()
    }

    fn from_ref(error: &Error) -> Self {
        match error {
            // "It has been logged" is for callers; the person at this terminal is who reads logs.
            Error::Internal(source) => Self::of_source(source),
            _ => Self::failed(error),
        }
    }

    fn of_source(source: &Source) -> Self {
        if source.is::<SchemaError>() || source.is::<VaultError>() {
            Self::refused(&**source)
        } else {
            Self::failed(&**source)
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::from_ref(&error)
    }
}

impl From<SetupError> for Failure {
    fn from(error: SetupError) -> Self {
        match &error {
            // Says "something went wrong" of a URL or a certificate file; its source says what.
            SetupError::Database(Error::Internal(source)) => {
                Self { exit_code: 3, line: format!("{error}: {}", Self::line(&**source)) }
            }
            _ => Self::refused(&error),
        }
    }
}

impl From<BindError> for Failure {
    fn from(error: BindError) -> Self {
        Self::refused(&error)
    }
}

impl From<ClusterError> for Failure {
    fn from(error: ClusterError) -> Self {
        match error {
            ClusterError::NotReady { .. }
            | ClusterError::NotStopped { .. }
            | ClusterError::NotMade { .. } => Self::failed(&error),
            _ => Self::refused(&error),
        }
    }
}

/// Prints a result: for a script as one JSON object, else the lines for a person.
fn print(json: bool, value: &Value, lines: &[String]) {
    if json { say(&value.to_string()) } else { lines.iter().for_each(|line| say(line)) }
}

/// Prints a line. Nobody may be reading any more, as after `| head`, and that is no reason to fail:
/// the work is done.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// A moment as commands print it.
fn moment(time: chrono::DateTime<chrono::Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests;
