//! Where a destination really is, as it is sealed: the URL with its secret path, and the headers.

use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::{
    header,
    notice::{Notice, Told},
};
use crate::{
    egress::{Egress, EgressRequest},
    error::{Error, Result},
    words::AlertDestinationKind,
};

const URL_BYTES: usize = 2000;
/// What Slack shows of a text block, at most (Block Kit reference, section: 3000 characters).
const SLACK_CHARS: usize = 3000;

#[derive(Serialize, Deserialize)]
pub(super) struct Target {
    url: String,
    headers: Vec<(String, String)>,
}

impl Target {
    /// What a tenant gave, with the host that is shown of it. Errors: `Invalid`.
    pub(super) fn check(
        kind: AlertDestinationKind,
        url: &SecretString,
        headers: &[(String, SecretString)],
        egress: &Egress,
    ) -> Result<(Self, String)> {
        let unfit = || Error::invalid("url", "must be a URL as in https://hooks.example.org/alerts");
        let text = url.expose_secret().trim();
        let url: Url = text.parse().map_err(|_| unfit())?;
        if text.len() > URL_BYTES || url.fragment().is_some() {
            return Err(unfit());
        }
        let host = url.host_str().ok_or_else(unfit)?.to_owned();
        egress.permits(&url).map_err(|refused| Error::invalid("url", refused.to_string()))?;
        if kind == AlertDestinationKind::Slack && !headers.is_empty() {
            return Err(Error::invalid("headers", "are for webhooks only"));
        }
        header::check(headers.iter().map(|(name, value)| (name.as_str(), value.expose_secret())))?;
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.expose_secret().into()));
        Ok((Self { url: url.into(), headers: headers.collect() }, host))
    }

    pub(super) fn read(sealed: &[u8]) -> Result<Self> {
        serde_json::from_slice(sealed).map_err(|_| Error::internal("a sealed target that is none"))
    }

    pub(super) fn write(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(Error::internal)
    }

    /// The request that tells the notice.
    pub(super) fn request(&self, kind: AlertDestinationKind, notice: &Notice) -> Result<EgressRequest> {
        let (mut headers, body) = match kind {
            AlertDestinationKind::Webhook => {
                let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                (header::check(headers)?, serde_json::to_vec(notice))
            }
            AlertDestinationKind::Slack => (HeaderMap::new(), serde_json::to_vec(&slack(notice))),
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(EgressRequest {
            method: Method::POST,
            url: self.url.parse().map_err(|_| Error::internal("a sealed URL that is none"))?,
            headers,
            body: body.map_err(Error::internal)?.into(),
        })
    }
}

/// What an incoming webhook of Slack takes: blocks, and the text that notifications show
/// (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>, read 2026-11).
fn slack(notice: &Notice) -> Value {
    let [what, when, advice] = notice.lines().map(|line| escape(&line));
    let sign = match notice.state {
        Told::Firing => ":rotating_light:",
        Told::Ended => ":white_check_mark:",
        Told::Test => ":wave:",
    };
    let section = |text: String| {
        let text: String = text.chars().take(SLACK_CHARS).collect();
        json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } })
    };
    json!({
        "text": what.clone(),
        "blocks": [section(format!("{sign} *{what}*")), section(format!("{when}\n{advice}"))],
    })
}

/// Slack's three control characters; escaped, a tenant's name neither links nor mentions anybody.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('*', "∗")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::EgressConfig;

    fn fields(kind: AlertDestinationKind, url: &str, headers: &[(&str, &str)]) -> Vec<String> {
        let egress = Egress::new(EgressConfig::default()).unwrap();
        let headers: Vec<(String, SecretString)> =
            headers.iter().map(|(name, value)| (name.to_string(), (*value).into())).collect();
        match Target::check(kind, &url.into(), &headers, &egress) {
            Err(Error::Invalid(violations)) => {
                violations.into_iter().map(|violation| violation.field).collect()
            }
            Err(error) => panic!("{error:?}"),
            Ok(_) => Vec::new(),
        }
    }

    #[test]
    fn only_urls_that_may_be_called_are_taken() {
        let webhook = |url| fields(AlertDestinationKind::Webhook, url, &[]);

        assert_eq!(webhook("https://hooks.example.org/alerts?key=1"), [""; 0]);
        for url in [
            "hooks.example.org",
            "ftp://hooks.example.org/",
            "http://hooks.example.org/",
            "https://user:word@hooks.example.org/",
            "https://hooks.example.org/#part",
            "https://127.0.0.1/",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]/",
        ] {
            assert_eq!(webhook(url), ["url"], "{url}");
        }
    }

    #[test]
    fn slack_takes_no_headers() {
        let slack = |headers: &[_]| {
            fields(AlertDestinationKind::Slack, "https://hooks.slack.com/services/T0/B0/x", headers)
        };

        assert_eq!(slack(&[]), [""; 0]);
        assert_eq!(slack(&[("X-Team", "desk")]), ["headers"]);
    }

    #[test]
    fn a_name_neither_links_nor_mentions_anybody_in_slack() {
        assert_eq!(escape("<!channel> & *Praxis*"), "&lt;!channel&gt; &amp; ∗Praxis∗");
    }
}
