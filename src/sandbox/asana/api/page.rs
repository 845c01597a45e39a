//! Pages: at most 100 records and an opaque offset, which does not last.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::call::{Answer, Answered, Call};
use crate::sandbox::asana::faults::Fault;
use crate::sandbox::asana::gid::Gid;
use crate::sandbox::asana::inner::Inner;
use crate::sandbox::asana::refusal::Refusal;
use crate::sandbox::asana::shape::Shape;

const LARGEST: usize = 100;
/// A list asked for without a limit is given whole up to here, and refused beyond.
const UNPAGED: usize = 1000;

pub(super) struct Page {
    pub(super) after: Gid,
    /// `None`: no limit was given.
    size: Option<usize>,
}

impl Page {
    pub(super) fn of(call: &Call, inner: &Inner) -> Result<Self, Refusal> {
        let option = |name: &str| call.options.get(name).map(Value::to_string);
        let size = match call.parameter("limit").map(str::to_owned).or_else(|| option("limit")) {
            None => None,
            Some(text) => match text.parse() {
                Ok(size @ 1..=LARGEST) => Some(size),
                Ok(_) | Err(_) => {
                    return Err(Refusal::bad(format!("limit: Must be between 1 and 100: {text}")));
                }
            },
        };
        let after = match call.parameter("offset") {
            None => Gid::ZERO,
            Some(_) if call.suffers(&Fault::OffsetExpired) => return Err(expired()),
            Some(text) => decode(text, call, inner.clock.now()).ok_or_else(expired)?,
        };
        Ok(Self { after, size })
    }

    /// How many are looked for: one more than are told.
    pub(super) fn look(&self) -> usize {
        self.size.unwrap_or(UNPAGED) + 1
    }

    pub(super) fn list(
        &self,
        call: &Call,
        inner: &Inner,
        mut gids: Vec<Gid>,
        show: impl Fn(Gid, &Shape) -> Value,
    ) -> Answered {
        let most = self.size.unwrap_or(UNPAGED);
        let has_more = gids.len() > most;
        if has_more && self.size.is_none() {
            return Err(Refusal::bad(
                "The result is too large. You should use pagination (may require specifying a workspace)!",
            ));
        }
        gids.truncate(most);
        let shape = call.shape();
        let data: Vec<Value> = gids.iter().map(|gid| show(*gid, &shape)).collect();
        let records = data.len();
        let mut body = json!({ "data": data });
        if self.size.is_some() {
            body["next_page"] = match gids.last().filter(|_| has_more) {
                Some(last) => next_page(call, inner, *last),
                None => Value::Null,
            };
        }
        Ok(Answer { records, ..Answer::raw(body) })
    }
}

fn next_page(call: &Call, inner: &Inner, last: Gid) -> Value {
    let until = inner.clock.now() + inner.settings.offset_lifetime;
    let offset =
        URL_SAFE_NO_PAD.encode(format!("{last}.{}.{:x}", until.timestamp_millis(), fingerprint(call)));
    let others = call.query.iter().filter(|(name, _)| name != "offset");
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(others)
        .append_pair("offset", &offset)
        .finish();
    let path = format!("{}?{query}", call.path);
    let strays = call.suffers(&Fault::StrayNextPage);
    let host =
        if strays { "https://asana.example.org".to_owned() } else { format!("http://{}", inner.address) };
    let path = if strays { format!("/elsewhere{path}") } else { path };
    json!({ "offset": offset, "path": path, "uri": format!("{host}/api/1.0{path}") })
}

/// An offset belongs to its listing, and lasts for a while.
fn decode(text: &str, call: &Call, now: DateTime<Utc>) -> Option<Gid> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let (last, rest) = text.split_once('.')?;
    let (until, listing) = rest.split_once('.')?;
    let is_alive = now.timestamp_millis() < until.parse().ok()?;
    let is_ours = u64::from_str_radix(listing, 16).ok()? == fingerprint(call);
    last.parse().ok().filter(|_| is_alive && is_ours)
}

/// Of everything but the page.
fn fingerprint(call: &Call) -> u64 {
    let others =
        call.query.iter().filter(|(name, _)| !matches!(name.as_str(), "offset" | "limit" | "opt_fields"));
    let texts = others.flat_map(|(name, value)| [name, value]).chain([&call.path]);
    // FNV-1a.
    texts.flat_map(|text| text.bytes().chain([0])).fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn expired() -> Refusal {
    Refusal::bad(
        "offset: Your pagination token has expired. Please make the request again without the offset to get \
         the first page.",
    )
}
