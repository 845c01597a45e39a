//! Lists, page by page.

use std::fmt;

use serde_json::Value;

use crate::provider::fields::Fields;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Records that are there but could not be read: not to be taken for deleted.
    pub unfit: Vec<Unfit>,
    /// Where the next page begins; None on the last.
    pub next: Option<Offset>,
}

/// A record that does not have the documented form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    pub gid: Option<String>,
    /// The field, as in `due_on`.
    pub what: &'static str,
}

/// Where a page begins. It expires after a while;
/// then the list is refused with 400 and read from its beginning.
#[derive(Clone, PartialEq, Eq)]
pub struct Offset(String);

const MAX_OFFSET_CHARS: usize = 2000;

/// A list as one page, of `pages` of its pages at most: where there are more, `next` says where they begin.
/// `ask` brings the page that begins at an offset.
pub async fn collect<T, E, F: Future<Output = Result<Page<T>, E>>>(
    pages: usize,
    ask: impl Fn(Option<Offset>) -> F,
) -> Result<Page<T>, E> {
    let mut all = ask(None).await?;
    for _ in 1..pages {
        let Some(next) = all.next.take() else { break };
        let page = ask(Some(next)).await?;
        all.items.extend(page.items);
        all.unfit.extend(page.unfit);
        all.next = page.next;
    }
    Ok(all)
}

impl Offset {
    /// None for what cannot be one; as kept from an earlier page.
    pub fn parse(text: String) -> Option<Self> {
        let fits = !text.is_empty()
            && text.len() <= MAX_OFFSET_CHARS
            && !text.chars().any(|c| c.is_control() || c.is_whitespace());
        fits.then_some(Self(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Offset(…)")
    }
}

/// Those that `read` can read, and those it cannot.
pub(super) fn read_all<T>(
    records: &[Value],
    read: impl Fn(Fields<'_>) -> Result<T, &'static str>,
) -> (Vec<T>, Vec<Unfit>) {
    let (mut items, mut unfit) = (Vec::with_capacity(records.len()), Vec::new());
    for record in records {
        match Fields::of(record).ok_or("gid").and_then(&read) {
            Ok(item) => items.push(item),
            Err(what) => unfit.push(Unfit::of(record, what)),
        }
    }
    (items, unfit)
}
