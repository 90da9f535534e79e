//! As much of SARIF's shape as findings need. Everything may be missing or null.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// `null` is taken for what is not there: some writers do not leave out what they have not.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $kind:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub(super) struct $name {
            $(#[serde(deserialize_with = "or_default")] pub(super) $field: $kind,)*
        }
    )*};
}

shapes! {
    /// The file.
    Log { version: Option<String>, runs: Option<Vec<Run>>, }
    /// One run of one tool.
    Run {
        tool: Tool,
        results: Option<Vec<Outcome>>,
        invocations: Vec<Invocation>,
        artifacts: Vec<Listed>,
        original_uri_base_ids: BTreeMap<String, Artifact>,
    }
    /// The tool, and what was plugged into it.
    Tool { driver: Driver, extensions: Vec<Driver>, }
    /// A part of a tool.
    Driver { rules: Vec<Rule>, }
    /// A rule.
    Rule {
        id: Option<String>,
        short_description: Option<Message>,
        message_strings: BTreeMap<String, Message>,
        default_configuration: Option<Configuration>,
    }
    /// How a rule is set.
    Configuration { level: Option<String>, }
    /// A text, or the name of one.
    Message {
        text: Option<String>,
        markdown: Option<String>,
        id: Option<String>,
        arguments: Vec<String>,
    }
    /// A result of a rule.
    Outcome {
        rule_id: Option<String>,
        rule_index: Option<i64>,
        rule: Option<RuleName>,
        kind: Option<String>,
        level: Option<String>,
        message: Message,
        locations: Vec<Place>,
        suppressions: Vec<Suppression>,
        baseline_state: Option<String>,
    }
    /// Which rule.
    RuleName { id: Option<String>, index: Option<i64>, tool_component: Option<Component>, }
    /// Which part of the tool.
    Component { index: Option<i64>, }
    /// That somebody set a result aside.
    Suppression { status: Option<String>, }
    /// A place.
    Place { physical_location: Option<Physical>, }
    /// A place in a file.
    Physical { artifact_location: Option<Artifact>, region: Option<Region>, }
    /// A file.
    Artifact { uri: Option<String>, uri_base_id: Option<String>, index: Option<i64>, }
    /// A file, in the list of all.
    Listed { location: Option<Artifact>, }
    /// Lines and columns, counted from 1.
    Region { start_line: Option<f64>, start_column: Option<f64>, }
    /// How the tool was run.
    Invocation {
        execution_successful: Option<bool>,
        tool_configuration_notifications: Vec<Notification>,
        tool_execution_notifications: Vec<Notification>,
    }
    /// What a tool says of its run.
    Notification {
        level: Option<String>,
        message: Message,
        locations: Vec<Place>,
        descriptor: Option<RuleName>,
    }
}
