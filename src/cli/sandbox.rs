//! `stellwerk sandbox`.

use std::{fs, net::SocketAddr, path::PathBuf};

use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use url::Url;

use super::{Failure, say};
use crate::{provider, sandbox::booking::BookingTool, serve::shutdown::Shutdown, words::SignatureScheme};

#[derive(Subcommand, Debug)]
pub enum Sandbox {
    /// A booking tool with a small control surface: it tells one address about every change made there.
    Booking(Booking),
}

#[derive(Args, Debug)]
pub struct Booking {
    /// The address to post to, as `stellwerk webhook create` showed it; on this machine only.
    #[arg(long, value_name = "URL")]
    target: Url,
    /// A file with the address's secret.
    #[arg(long, value_name = "FILE", required_unless_present = "secret")]
    secret_file: Option<PathBuf>,
    /// The secret itself. Give it by the environment: other users see arguments.
    #[arg(long, env = "STELLWERK_SANDBOX_SECRET", hide_env_values = true, value_name = "SECRET")]
    secret: Option<SecretString>,
    /// How the address expects deliveries to be signed: `standard` or `legacy`.
    #[arg(long, value_name = "SCHEME", default_value = "standard")]
    scheme: SignatureScheme,
    /// Where the control surface listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7213")]
    address: SocketAddr,
    /// Decides what is invented.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
}

impl Sandbox {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let Self::Booking(booking) = self;
        booking.run().await
    }
}

impl Booking {
    async fn run(self) -> Result<(), Failure> {
        let shutdown = Shutdown::on_signals().map_err(|error| Failure::failed(&error))?;
        let tool = BookingTool::new(self.target.clone(), provider::scheme(self.scheme), self.secret()?)
            .map_err(|error| Failure::refused(&error))?
            .with_seed(self.seed);
        let listener = listen(self.address).await?;
        let address = listener.local_addr().map_err(|error| Failure::failed(&error))?;
        say(&format!("booking tool on http://{address}/ (what it can do is shown there)"));
        let stop = shutdown.stop.clone();
        tool.serve(listener, async move { stop.cancelled().await })
            .await
            .map_err(|error| Failure::refused(&error))
    }

    fn secret(&self) -> Result<SecretString, Failure> {
        match (&self.secret, &self.secret_file) {
            (Some(secret), _) => Ok(secret.expose_secret().trim().into()),
            (None, Some(file)) => match fs::read_to_string(file) {
                Ok(text) => Ok(text.trim().into()),
                Err(error) => {
                    Err(Failure::refused_because(format!("{} cannot be read: {error}", file.display())))
                }
            },
            (None, None) => Err(Failure::refused_because("no secret was given")),
        }
    }
}

/// Binds a control surface.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind(address).await;
    bound
        .map_err(|error| Failure::refused_because(format!("the sandbox cannot listen on {address}: {error}")))
}
