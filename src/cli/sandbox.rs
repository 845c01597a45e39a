//! `stellwerk sandbox`.

use std::{fs, net::SocketAddr, path::PathBuf};

use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use url::Url;

use super::{Failure, say};
use crate::{
    provider::booking_tool,
    sandbox::{
        asana::{self, Client, Consent, Plan},
        booking::BookingTool,
        calcom::{self, Generation, Settings},
    },
    serve::shutdown::Shutdown,
    words::SignatureScheme,
};

#[derive(Subcommand, Debug)]
pub enum Sandbox {
    /// Asana: OAuth, the REST API, event streams and webhooks with their traps, with an office of three
    /// people, three projects and eighteen phases to begin with.
    ///
    /// What people do at the board, and what is to go wrong, is said to the control surface below /sandbox;
    /// it explains itself at /. Webhooks go to addresses on this machine only. Nothing is kept.
    Asana(Asana),
    /// A booking tool with a small control surface: it tells one address about every change made there.
    Booking(Booking),
    /// Cal.com: API v2, slots, webhooks and their traps, with a host,
    /// two event types and an API key to begin with.
    ///
    /// What attendees and hosts do, and what is to go wrong, is said to the control surface below /sandbox;
    /// it explains itself at /. Webhooks go to addresses on this machine only. Nothing is kept.
    Calcom(Calcom),
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

#[derive(Args, Debug)]
pub struct Asana {
    /// Where it listens; on this machine only.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7215")]
    address: SocketAddr,
    /// The app that may ask for consent.
    #[arg(long, value_name = "ID", default_value = "sandbox-asana")]
    client_id: String,
    /// Its secret; made up and printed if not given.
    #[arg(long, env = "STELLWERK_SANDBOX_ASANA_SECRET", hide_env_values = true, value_name = "SECRET")]
    client_secret: Option<SecretString>,
    /// Where the app's users may be sent back to; repeat it for several.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7211/api/auth/asana/callback")]
    redirect_uri: Vec<String>,
    /// What the consent page does: `ask`, `approve` at once, or `deny`.
    #[arg(long, value_name = "DECISION", default_value = "ask")]
    consent: Consent,
    /// What the workspace has paid for: `paid` (1500 requests a minute), or `free` (150,
    /// and no custom fields).
    #[arg(long, value_name = "PLAN", default_value = "paid")]
    plan: Plan,
    /// Every refresh ends the old refresh token.
    #[arg(long)]
    rotate_refresh_tokens: bool,
}

#[derive(Args, Debug)]
pub struct Calcom {
    /// Where it listens; on this machine only.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7214")]
    address: SocketAddr,
    /// Fills the host's next two weeks with a few invented bookings, the same ones for the same number.
    #[arg(long, value_name = "NUMBER", num_args = 0..=1, default_missing_value = "0")]
    seed: Option<u64>,
    /// How webhooks are sent: `inline`, before the request that caused them is answered, or `queued`,
    /// after it.
    #[arg(long, value_name = "GENERATION", default_value = "inline")]
    payload: Generation,
}

impl Sandbox {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Asana(asana) => asana.run().await,
            Self::Booking(booking) => booking.run().await,
            Self::Calcom(calcom) => calcom.run().await,
        }
    }
}

/// How many bookings `--seed` invents.
const INVENTED: u64 = 8;

impl Asana {
    async fn run(self) -> Result<(), Failure> {
        let shutdown = Shutdown::on_signals().map_err(|error| Failure::failed(&error))?;
        let limits = match self.plan {
            Plan::Free => asana::Limits::free(),
            Plan::Paid => asana::Limits::paid(),
        };
        let settings = asana::Settings {
            plan: self.plan,
            limits,
            consent: self.consent,
            rotates_refresh_tokens: self.rotate_refresh_tokens,
            ..asana::Settings::default()
        };
        let double = asana::Asana::start_on(listen(self.address).await?, settings)
            .map_err(|error| Failure::refused(&error))?;
        let client = match &self.client_secret {
            Some(secret) => Client {
                id: self.client_id,
                secret: secret.expose_secret().to_owned(),
                redirect_uris: self.redirect_uri,
                scopes: None,
            },
            None => Client::invented(&self.client_id, self.redirect_uri),
        };
        let (id, made_up) = (client.id.clone(), self.client_secret.is_none().then(|| client.secret.clone()));
        let demo = double.add_demo(client).map_err(|error| Failure::failed(&error))?;
        let url = double.url();
        say(&format!("Asana on {url} (what it can do is shown there; the API is below {url}/api/1.0)"));
        say(&format!("app {id}{}", made_up.map(|secret| format!(", secret {secret}")).unwrap_or_default()));
        if let (Some(user), Some(project)) = (demo.users.first(), demo.projects.first()) {
            let token = double.add_token(*user);
            let list = format!("tasks?project={project}&limit=100&opt_fields=name,start_on,due_on");
            say(&format!("tasks: curl -H 'authorization: Bearer {token}' '{url}/api/1.0/{list}'"));
        }
        if let Some(task) = demo.tasks.first() {
            let body = r#"{"start_on": "2027-01-11", "due_on": "2027-01-22"}"#;
            say(&format!(
                "somebody changes dates: curl -X PUT {url}/sandbox/tasks/{task} \
                 -H 'content-type: application/json' -d '{body}'"
            ));
        }
        say(&format!("somebody moves a phase: curl -X POST {url}/sandbox/tick"));
        shutdown.stop.cancelled().await;
        double.stop().await;
        Ok(())
    }
}

impl Calcom {
    async fn run(self) -> Result<(), Failure> {
        let shutdown = Shutdown::on_signals().map_err(|error| Failure::failed(&error))?;
        let settings = Settings { generation: self.payload, ..Settings::default() };
        let calcom = calcom::Calcom::start_on(listen(self.address).await?, settings)
            .map_err(|error| Failure::refused(&error))?;
        let demo = calcom.add_demo().map_err(|error| Failure::failed(&error))?;
        if let Some(seed) = self.seed {
            for nth in 0..INVENTED {
                let invented = calcom.invent_booking(demo.consultation, seed.wrapping_add(nth)).await;
                invented.map_err(|error| Failure::failed(&error))?;
            }
        }
        let url = calcom.url();
        say(&format!("Cal.com on {url} (what it can do is shown there; the API is below {url}/v2)"));
        say(&format!("host {} <{}>, API key {}", demo.user.name, demo.user.email, demo.user.api_key));
        say(&format!(
            "event types {} (30 minutes) and {} (60 minutes, to be confirmed)",
            demo.consultation, demo.house_visit
        ));
        say(&format!("an attendee books: curl -X POST {url}/sandbox/tick"));
        shutdown.stop.cancelled().await;
        calcom.stop().await;
        Ok(())
    }
}

impl Booking {
    async fn run(self) -> Result<(), Failure> {
        let shutdown = Shutdown::on_signals().map_err(|error| Failure::failed(&error))?;
        let scheme = booking_tool::scheme(self.scheme)
            .ok_or_else(|| Failure::refused_because("the booking tool signs `legacy` or `standard`"))?;
        let tool = BookingTool::new(self.target.clone(), scheme, self.secret()?)
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
