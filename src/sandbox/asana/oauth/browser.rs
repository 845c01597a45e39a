//! A person with a browser.

use reqwest::{RequestBuilder, header};
use url::{Url, form_urlencoded};

use crate::sandbox::asana::{Error, Person};
use crate::sandbox::client::is_loopback;

const NO_WAY_BACK: Error = Error::Unknown { noun: "way back" };

impl Person {
    /// Presses the consent page's first button, goes back to the app, and is sent on by it: where to.
    pub async fn allow(&self, authorize_url: &str) -> Result<Url, Error> {
        self.press(authorize_url, "allow").await
    }

    /// Presses the second one.
    pub async fn deny(&self, authorize_url: &str) -> Result<Url, Error> {
        self.press(authorize_url, "deny").await
    }

    async fn press(&self, authorize_url: &str, decision: &str) -> Result<Url, Error> {
        let page = Url::parse(authorize_url).map_err(|_| Error::Unknown { noun: "URL" })?;
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(page.query_pairs())
            .append_pair("decision", decision)
            .append_pair("user", &self.user.to_string())
            .finish();
        let mut door = page;
        door.set_query(None);
        let client = self.inner.client();
        let pressed = client.post(near(door)?).body(form);
        let back = sent_on(pressed.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")).await?;
        sent_on(client.get(near(back)?)).await
    }
}

/// The sandbox leaves this machine for nobody.
fn near(url: Url) -> Result<Url, Error> {
    if is_loopback(&url) { Ok(url) } else { Err(NO_WAY_BACK) }
}

async fn sent_on(request: RequestBuilder) -> Result<Url, Error> {
    let answer = request.send().await.map_err(|_| NO_WAY_BACK)?;
    let location = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    location.and_then(|text| Url::parse(text).ok()).ok_or(NO_WAY_BACK)
}
