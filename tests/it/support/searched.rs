//! Looks for words in every row of every table.

use super::{database::Session, seed::TABLES};

/// Each word with a table in which it lies open, as text or as bytes: a row as text shows every column, and
/// bytes as hexadecimal digits.
pub(crate) async fn open_words(owner: &Session, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for table in owner.lines(TABLES).await {
        for word in words {
            let literal = format!("'{}'", word.replace('\'', "''"));
            let rows = format!(
                "SELECT count(*) FROM {table} t WHERE strpos(lower(t::text), lower({literal})) > 0 \
                 OR strpos(t::text, encode(convert_to({literal}, 'UTF8'), 'hex')) > 0"
            );
            if owner.value(&rows).await != "0" {
                found.push(format!("{word} in {table}"));
            }
        }
    }
    found
}
