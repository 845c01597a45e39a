//! How this installation stands with each provider: its registration there, where people come back to, and,
//! in sandboxes, where the provider really is.

use std::{collections::HashMap, fmt};

use secrecy::SecretString;
use url::Url;

use super::{
    catalog::{self, Provider},
    oauth::{Client, Placeholders, rebase},
};

/// What is configured, by provider.
#[derive(Debug, Default)]
pub struct Deployments {
    by_provider: HashMap<&'static str, Deployment>,
    return_urls: Vec<ReturnUrl>,
}

/// What is configured for one provider; nothing, for most.
#[derive(Debug, Default, Clone)]
pub struct Deployment {
    client_id: Option<String>,
    client_secret: Option<SecretString>,
    redirect_uri: Option<Url>,
    /// In place of the provider's own addresses: their paths below this base.
    base: Option<Url>,
    signing_secret: Option<SecretString>,
}

/// Where people may be sent back to: exactly there, or anywhere below if it ends with a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnUrl(Url);

/// A setting that does not work. Repeats no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeploymentError {
    #[error("{name} is no setting of a provider")]
    UnknownName { name: String },
    #[error("{name} must be {expected}")]
    Malformed { name: String, expected: &'static str },
    #[error("{name} is missing: id and secret of a client go together")]
    HalfAClient { name: String },
}

/// The names of a provider's settings. `{PROVIDER}` is its key in capitals.
const NAMES: [(&str, Setting); 5] = [
    ("{PROVIDER}_CLIENT_ID", Setting::ClientId),
    ("{PROVIDER}_CLIENT_SECRET", Setting::ClientSecret),
    ("{PROVIDER}_REDIRECT_URI", Setting::RedirectUri),
    ("{PROVIDER}_SIGNING_SECRET", Setting::SigningSecret),
    ("STELLWERK_{PROVIDER}_URL", Setting::Base),
];

#[derive(Debug, Clone, Copy)]
enum Setting {
    ClientId,
    ClientSecret,
    RedirectUri,
    SigningSecret,
    Base,
}

impl Deployments {
    /// Reads settings by name: those in `given`, else what `variable` finds. An empty one counts as absent.
    pub fn read(
        return_urls: Vec<ReturnUrl>,
        given: &[(String, SecretString)],
        variable: impl Fn(&str) -> Option<SecretString>,
    ) -> Result<Self, DeploymentError> {
        use secrecy::ExposeSecret;
        let mut known = Vec::new();
        let mut by_provider = HashMap::new();
        for provider in catalog::all() {
            let mut deployment = Deployment::default();
            for (pattern, setting) in NAMES {
                let name = pattern.replace("{PROVIDER}", &provider.id.to_ascii_uppercase());
                // The last one counts, as everywhere on a command line.
                let value = given.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
                if let Some(value) =
                    value.or_else(|| variable(&name)).filter(|one| !one.expose_secret().trim().is_empty())
                {
                    deployment.set(setting, &name, &value)?;
                }
                known.push(name);
            }
            deployment.check(provider)?;
            by_provider.insert(provider.id, deployment);
        }
        if let Some((name, _)) = given.iter().find(|(name, _)| !known.contains(name)) {
            return Err(DeploymentError::UnknownName { name: name.clone() });
        }
        Ok(Self { by_provider, return_urls })
    }

    /// The installation's own registration with a provider.
    pub fn client(&self, provider: &str) -> Option<Client> {
        let deployment = self.by_provider.get(provider)?;
        Some(Client { id: deployment.client_id.clone()?, secret: deployment.client_secret.clone()? })
    }

    /// What the provider signs app-level deliveries with.
    pub fn signing_secret(&self, provider: &str) -> Option<&SecretString> {
        self.by_provider.get(provider)?.signing_secret.as_ref()
    }

    /// Where the provider is instead of its own addresses; only in sandboxes.
    pub fn base(&self, provider: &str) -> Option<&Url> {
        self.by_provider.get(provider)?.base.as_ref()
    }

    /// Where a provider sends browsers back to; registered there.
    pub fn redirect_uri(&self, provider: &str, public_url: &str) -> String {
        let configured =
            self.by_provider.get(provider).and_then(|deployment| deployment.redirect_uri.as_ref());
        configured.map_or_else(|| format!("{public_url}/api/auth/{provider}/callback"), ToString::to_string)
    }

    /// Where a provider's API is, for a tenant with these placeholders. `None`: it has no API, or a
    /// placeholder is missing.
    pub fn api_url(&self, provider: &Provider, placeholders: &Placeholders) -> Option<Url> {
        let url = placeholders.url(provider.api.as_ref()?.base_url)?;
        Some(self.base(provider.id).map_or(url.clone(), |base| rebase(&url, base)))
    }

    /// Whether people may be sent back to `url`, by the installation's list or the tenant's.
    pub fn admits_return(&self, url: &Url, tenants: &[String]) -> bool {
        let of_tenant = tenants.iter().filter_map(|text| text.parse::<ReturnUrl>().ok());
        self.return_urls.iter().cloned().chain(of_tenant).any(|allowed| allowed.admits(url))
    }
}

impl Deployment {
    fn set(&mut self, setting: Setting, name: &str, value: &SecretString) -> Result<(), DeploymentError> {
        use secrecy::ExposeSecret;
        let text = value.expose_secret().trim();
        let url = || {
            let malformed = || DeploymentError::Malformed {
                name: name.into(),
                expected: "an http or https URL without user name, query or fragment",
            };
            text.parse::<Url>().ok().filter(is_plain).ok_or_else(malformed)
        };
        match setting {
            Setting::ClientId => self.client_id = Some(text.into()),
            Setting::ClientSecret => self.client_secret = Some(text.into()),
            Setting::SigningSecret => self.signing_secret = Some(text.into()),
            Setting::RedirectUri => self.redirect_uri = Some(url()?),
            Setting::Base => self.base = Some(url()?),
        }
        Ok(())
    }

    fn check(&self, provider: &Provider) -> Result<(), DeploymentError> {
        let missing = match (&self.client_id, &self.client_secret) {
            (Some(_), None) => "CLIENT_SECRET",
            (None, Some(_)) => "CLIENT_ID",
            _ => return Ok(()),
        };
        Err(DeploymentError::HalfAClient { name: format!("{}_{missing}", provider.id.to_ascii_uppercase()) })
    }
}

impl ReturnUrl {
    /// Query and fragment are the frontend's own; scheme, host, port and path are not.
    pub fn admits(&self, url: &Url) -> bool {
        let below = self.0.path().ends_with('/') && url.path().starts_with(self.0.path());
        is_safe(url) && url.origin() == self.0.origin() && (below || url.path() == self.0.path())
    }
}

impl std::str::FromStr for ReturnUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url: Url = text
            .parse()
            .map_err(|_| "must be a URL such as https://desk.example.org/settings/".to_string())?;
        if is_safe(&url) && url.query().is_none() && url.fragment().is_none() {
            Ok(Self(url))
        } else {
            Err("must be https (http only on this machine), without user name, query or fragment".into())
        }
    }
}

impl fmt::Display for ReturnUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn is_plain(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.host().is_some()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
}

/// What a browser may be sent to: nobody on the way reads or changes it.
fn is_safe(url: &Url) -> bool {
    let is_near = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => return false,
    };
    (url.scheme() == "https" || url.scheme() == "http" && is_near)
        && url.username().is_empty()
        && url.password().is_none()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn read(given: &[(&str, &str)]) -> Result<Deployments, DeploymentError> {
        let given: Vec<(String, SecretString)> =
            given.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Deployments::read(Vec::new(), &given, |_| None)
    }

    fn admits(allowed: &str, url: &str) -> bool {
        allowed.parse::<ReturnUrl>().unwrap().admits(&url.parse().unwrap())
    }

    #[test]
    fn a_client_is_read_from_the_providers_own_names() {
        let deployments = read(&[("ASANA_CLIENT_ID", "1200"), ("ASANA_CLIENT_SECRET", "s3cret")]).unwrap();

        let client = deployments.client("asana").unwrap();
        assert_eq!((client.id.as_str(), client.secret.expose_secret()), ("1200", "s3cret"));
        assert!(deployments.client("calcom").is_none());
    }

    #[test]
    fn an_argument_comes_before_the_environment_and_an_empty_variable_is_absent() {
        let given = [("ASANA_CLIENT_ID".to_string(), "argument".into())];
        let variable = |name: &str| match name {
            "ASANA_CLIENT_ID" => Some("environment".into()),
            "ASANA_CLIENT_SECRET" => Some("s3cret".into()),
            "CALCOM_CLIENT_ID" => Some(" ".into()),
            _ => None,
        };

        let deployments = Deployments::read(Vec::new(), &given, variable).unwrap();

        assert_eq!(deployments.client("asana").unwrap().id, "argument");
        assert!(deployments.client("calcom").is_none());
    }

    #[test]
    fn half_a_client_an_unknown_name_and_a_broken_url_are_refused_without_their_values() {
        for (given, name) in [
            (("ASANA_CLIENT_SECRET", "hush"), "ASANA_CLIENT_ID"),
            (("ASANA_CLIENT_ID", "hush"), "ASANA_CLIENT_SECRET"),
            (("ASANA_PASSWORD", "hush"), "ASANA_PASSWORD"),
            (("STELLWERK_ASANA_URL", "hush"), "STELLWERK_ASANA_URL"),
            (("ASANA_REDIRECT_URI", "https://example.org/?hush"), "ASANA_REDIRECT_URI"),
        ] {
            let told = read(&[given]).unwrap_err().to_string();
            assert!(told.contains(name) && !told.contains("hush"), "{told}");
        }
    }

    #[test]
    fn a_base_moves_a_providers_addresses_and_keeps_their_paths() {
        let deployments = read(&[("STELLWERK_ASANA_URL", "http://127.0.0.1:7220/double")]).unwrap();
        let asana = catalog::find("asana").unwrap();

        let url = deployments.api_url(asana, &Placeholders::default()).unwrap();

        assert_eq!(url.as_str(), "http://127.0.0.1:7220/double/api/1.0");
    }

    #[test]
    fn browsers_come_back_to_the_public_url_unless_it_is_said_otherwise() {
        let said = read(&[("ASANA_REDIRECT_URI", "https://example.org/back")]).unwrap();

        assert_eq!(said.redirect_uri("asana", "https://hooks.example.org"), "https://example.org/back");
        assert_eq!(
            said.redirect_uri("calcom", "https://hooks.example.org"),
            "https://hooks.example.org/api/auth/calcom/callback"
        );
    }

    #[test]
    fn people_are_sent_back_only_where_it_was_allowed() {
        let exact = "https://desk.example.org/settings";
        for fits in
            [exact, "https://desk.example.org/settings?tab=2", "https://desk.example.org:443/settings#top"]
        {
            assert!(admits(exact, fits), "{fits}");
        }
        for foreign in [
            "https://desk.example.org/settings/",
            "https://desk.example.org/settings/../admin",
            "http://desk.example.org/settings",
            "https://desk.example.org:8443/settings",
            "https://desk.example.org.evil.example/settings",
            "https://evil.example/https://desk.example.org/settings",
            "https://desk.example.org@evil.example/settings",
            "https://somebody@desk.example.org/settings",
            "https://evil.example\\@desk.example.org/settings",
        ] {
            assert!(!admits(exact, foreign), "{foreign}");
        }
    }

    #[test]
    fn everything_below_a_slash_is_allowed_and_nothing_beside_it() {
        let below = "https://desk.example.org/app/";

        assert!(admits(below, "https://desk.example.org/app/settings?x=1"));
        assert!(!admits(below, "https://desk.example.org/app/../admin"));
        assert!(!admits(below, "https://desk.example.org/application"));
    }

    #[test]
    fn only_this_machine_is_returned_to_without_tls() {
        assert!("http://localhost:5173/".parse::<ReturnUrl>().is_ok());
        assert!("http://127.0.0.1:5173/".parse::<ReturnUrl>().is_ok());
        for unfit in
            ["http://desk.example.org/", "javascript:alert(1)", "data:text/html,x", "desk", "https://x/?a"]
        {
            assert!(unfit.parse::<ReturnUrl>().is_err(), "{unfit}");
        }
    }
}
