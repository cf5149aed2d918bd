//! A config as JSON that every reader takes.
//!
//! PowerShell's `ConvertFrom-Json` refuses an object with keys that differ only by case, or with an empty key. Both are
//! legal in the labels of an image and must not make it unreadable.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind, Result, printable};

/// Deeper than any config is, and far from the end of a thread's stack.
const DEEPEST: usize = 100;
/// What is more is not told: a config of nothing else must not fill the memory with names.
const MOST_DROPPED: usize = 1000;
/// What says how the image was made, not what it is.
const LEFT_OUT: [&str; 2] = ["history", "rootfs"];

/// The config of an image without `history` and `rootfs`, and what had to be left out of it.
#[derive(Clone, Debug)]
pub struct Metadata {
    json: String,
    dropped_keys: Vec<String>,
}

impl Metadata {
    pub(crate) fn from_config(config: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(config).map_err(|error| unreadable(error.to_string()))?;
        let value: &RawValue = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
        if !value.get().starts_with('{') {
            return Err(unreadable("it is not a JSON object".to_owned()));
        }
        let mut copy = Copy { json: String::with_capacity(text.len()), path: Vec::new(), dropped_keys: Vec::new() };
        copy.value(value)?;
        Ok(Self { json: copy.json, dropped_keys: copy.dropped_keys })
    }

    /// JSON in which no two keys of an object are equal or differ only by case, and no key is empty. Numbers and strings
    /// stand as in the config.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The paths of the first thousand keys that were left out because one before them differs only by case, or because
    /// they are empty, such as `config.Labels.Version`. They can be shown: what is long is cut, and control characters
    /// are dots.
    pub fn dropped_keys(&self) -> &[String] {
        &self.dropped_keys
    }
}

fn unreadable(reason: String) -> Error {
    Error::new(ErrorKind::InvalidResponse, format!("the image config cannot be read: {reason}"))
}

struct Copy<'a> {
    json: String,
    path: Vec<&'a str>,
    dropped_keys: Vec<String>,
}

impl<'a> Copy<'a> {
    fn value(&mut self, value: &'a RawValue) -> Result<()> {
        if self.path.len() > DEEPEST {
            return Err(unreadable(format!("it is nested more than {DEEPEST} deep")));
        }
        let text = value.get();
        match text.as_bytes().first() {
            Some(b'{') => self.object(parse(text)?),
            Some(b'[') => self.array(&parse::<Vec<&RawValue>>(text)?),
            _ => {
                self.json.push_str(text);
                Ok(())
            }
        }
    }

    fn object(&mut self, Members(members): Members<'a>) -> Result<()> {
        // Of equal keys the last counts, as in JavaScript and .NET; it stands where the first one stood.
        let last: HashMap<&str, &'a RawValue> =
            members.iter().map(|member| (member.key.as_str(), member.value)).collect();
        let (mut seen, mut seen_folded) = (HashSet::new(), HashSet::new());
        let mut separator = "";
        self.json.push('{');
        for member in &members {
            let folded_key = folded(&member.key);
            if self.path.is_empty() && LEFT_OUT.iter().any(|name| folded(name) == folded_key) {
                continue;
            }
            if !seen.insert(member.key.as_str()) {
                continue;
            }
            if member.key.is_empty() || !seen_folded.insert(folded_key) {
                self.drop_key(&member.key);
                continue;
            }
            self.json.push_str(separator);
            separator = ",";
            self.json.push_str(member.raw_key.get());
            self.json.push(':');
            self.path.push(member.raw_key.get().trim_matches('"'));
            self.value(last[member.key.as_str()])?;
            self.path.pop();
        }
        self.json.push('}');
        Ok(())
    }

    fn drop_key(&mut self, key: &str) {
        if self.dropped_keys.len() < MOST_DROPPED {
            let path: Vec<String> = self.path.iter().copied().chain([key]).map(printable).collect();
            self.dropped_keys.push(printable(&path.join(".")));
        }
    }

    fn array(&mut self, items: &[&'a RawValue]) -> Result<()> {
        self.json.push('[');
        self.path.push("[]");
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.json.push(',');
            }
            self.value(item)?;
        }
        self.path.pop();
        self.json.push(']');
        Ok(())
    }
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))
}

/// .NET's `OrdinalIgnoreCase`: each character's simple upper case.
fn folded(key: &str) -> String {
    key.chars()
        .map(|c| {
            let mut upper = c.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(single), None) => single,
                _ => c,
            }
        })
        .collect()
}

struct Member<'a> {
    key: String,
    raw_key: &'a RawValue,
    value: &'a RawValue,
}

/// The members of an object in their order, repeated ones too.
struct Members<'a>(Vec<Member<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(raw_key) = map.next_key::<&'de RawValue>()? {
                    let key = serde_json::from_str(raw_key.get()).map_err(de::Error::custom)?;
                    members.push(Member { key, raw_key, value: map.next_value()? });
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(config: &str) -> (String, Vec<String>) {
        let metadata = Metadata::from_config(config.as_bytes()).expect(config);
        (metadata.json().to_owned(), metadata.dropped_keys().to_vec())
    }

    #[test]
    fn a_config_keeps_all_but_what_says_how_it_was_made() {
        let config = r#"{"os":"linux", "History":[1], "rootfs":{"type":"layers"},
            "config":{"Labels":{"a":"1","rootfs":"kept"},"Env":[],"Cmd":[null,true,1.50,12345678901234567890,"\u00e4\ud83d\ude00"]}}"#;
        assert_eq!(
            of(config).0,
            r#"{"os":"linux","config":{"Labels":{"a":"1","rootfs":"kept"},"Env":[],"Cmd":[null,true,1.50,12345678901234567890,"\u00e4\ud83d\ude00"]}}"#
        );
    }

    #[test]
    fn of_keys_that_differ_by_case_the_first_stays_and_the_others_are_told() {
        let (json, dropped) =
            of(r#"{"config":{"Labels":{"Version":"1","version":"2","VERSION":"3","":"4","ß":"5","SS":"6"}}}"#);
        assert_eq!(json, r#"{"config":{"Labels":{"Version":"1","ß":"5","SS":"6"}}}"#);
        assert_eq!(dropped, ["config.Labels.version", "config.Labels.VERSION", "config.Labels."]);
    }

    #[test]
    fn what_is_told_of_left_out_keys_can_be_shown_and_has_an_end() {
        let (_, dropped) = of(r#"{"config":{"Labels":{"\u001b[31ma":1,"\u001b[31mA":2}}}"#);
        assert_eq!(dropped, ["config.Labels.\u{b7}[31mA"]);
        let pairs: Vec<String> = (0..5000).map(|number| format!(r#""a{number}":1,"A{number}":2"#)).collect();
        let (_, dropped) = of(&format!(r#"{{"{}":{{{}}}}}"#, "x".repeat(100_000), pairs.join(",")));
        assert_eq!(dropped.len(), MOST_DROPPED);
        assert!(dropped.iter().all(|path| path.chars().count() <= 301));
    }

    #[test]
    fn of_equal_keys_the_last_counts() {
        assert_eq!(of(r#"{"a":1,"b":{"c":1,"c":2},"a":3}"#), (r#"{"a":3,"b":{"c":2}}"#.to_owned(), vec![]));
    }

    #[test]
    fn what_is_no_config_is_an_error() {
        let deep = format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000));
        let wide = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        for config in ["", "[]", "\"text\"", "null", "{", "{\"a\":}", "{} {}", &deep, &wide] {
            let error = Metadata::from_config(config.as_bytes()).expect_err("no config");
            assert_eq!(error.kind(), ErrorKind::InvalidResponse);
        }
        assert!(Metadata::from_config(b"{\"a\":\"\xff\"}").is_err());
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            ".{0,8}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 64, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                proptest::collection::btree_map("[a-cA-C]{0,2}", inner, 0..6)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    fn has_no_colliding_keys(value: &serde_json::Value) -> bool {
        match value {
            serde_json::Value::Object(members) => {
                let folded: HashSet<String> = members.keys().map(|key| folded(key)).collect();
                folded.len() == members.len()
                    && !members.contains_key("")
                    && members.values().all(has_no_colliding_keys)
            }
            serde_json::Value::Array(items) => items.iter().all(has_no_colliding_keys),
            _ => true,
        }
    }

    #[test]
    fn fuzz_config() {
        crate::fuzz::check("config", |config| {
            if let Err(error) = crate::manifest::config_platform(config) {
                crate::fuzz::expect_printable(&error);
            }
            let metadata = match Metadata::from_config(config) {
                Ok(metadata) => metadata,
                Err(error) => return crate::fuzz::expect_printable(&error),
            };
            // A number may be too large for a reader that makes a double of it, but not for one that looks at the text.
            if let Ok(read) = serde_json::from_str::<serde_json::Value>(metadata.json()) {
                assert!(read.is_object() && has_no_colliding_keys(&read));
            }
            let again = Metadata::from_config(metadata.json().as_bytes()).expect("it is a config still");
            assert_eq!((again.json(), again.dropped_keys()), (metadata.json(), &[][..]));
        });
    }

    proptest! {
        #[test]
        fn any_config_becomes_json_without_colliding_keys(value in json()) {
            let config = serde_json::json!({ "config": value.clone() }).to_string();
            let metadata = Metadata::from_config(config.as_bytes()).expect("a config");
            let read: serde_json::Value = serde_json::from_str(metadata.json()).expect("JSON");
            prop_assert!(has_no_colliding_keys(&read));
            if metadata.dropped_keys().is_empty() {
                prop_assert_eq!(&read["config"], &value);
            }
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Metadata::from_config(&bytes);
        }
    }
}
