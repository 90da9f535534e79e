//! Items with their doc comments, as far as the references need them: structs with fields, enums
//! with variants.

/// A struct or an enum.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Its name.
    pub(crate) name: String,
    /// Its doc comment, on one line.
    pub(crate) doc: String,
    /// The attributes above it, as they are written.
    pub(crate) attributes: String,
    /// Its fields or variants, in order.
    pub(crate) parts: Vec<Part>,
}

/// A field or a variant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its name.
    pub(crate) name: String,
    /// Its doc comment, on one line.
    pub(crate) doc: String,
    /// The attributes above it, as they are written.
    pub(crate) attributes: String,
}

/// What stands above a declaration.
#[derive(Debug, Default)]
struct Above {
    doc: String,
    attributes: String,
}

impl Above {
    /// Takes the line in where it is a doc comment or an attribute.
    fn takes(&mut self, line: &str) -> bool {
        if let Some(doc) = line.strip_prefix("///") {
            let gap = if self.doc.is_empty() { "" } else { " " };
            self.doc.push_str(gap);
            self.doc.push_str(doc.trim());
        } else if line.starts_with("#[") {
            self.attributes.push_str(line);
        } else {
            return false;
        }
        true
    }
}

/// Every struct and enum with braces at the top of a file that rustfmt has seen.
pub(crate) fn items(text: &str) -> Vec<Item> {
    let mut found: Vec<Item> = Vec::new();
    let mut above = Above::default();
    let mut inside = false;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        if line == "}" {
            inside = false;
        } else if above.takes(line.trim_start()) {
            continue;
        } else if indent == 0 && line.ends_with('{') && declared(line).is_some() {
            let Above { doc, attributes } = std::mem::take(&mut above);
            let name = declared(line).unwrap_or_default().to_owned();
            found.push(Item { name, doc, attributes, parts: Vec::new() });
            inside = true;
        } else if inside && indent == 4 {
            let Above { doc, attributes } = std::mem::take(&mut above);
            if let (Some(name), Some(item)) = (part_name(line), found.last_mut()) {
                item.parts.push(Part { name: name.to_owned(), doc, attributes });
            }
        }
        above = Above::default();
    }
    found
}

/// The name a line declares a struct or an enum of.
fn declared(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("struct ").or_else(|| line.split_once("enum "))?;
    rest.split(|c: char| !c.is_alphanumeric()).next()
}

/// The name of a field or a variant.
fn part_name(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("pub(super) ").or(line.strip_prefix("pub ")).unwrap_or(line);
    let name = line.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    (!name.is_empty()).then_some(name)
}

#[test]
fn structs_and_enums_are_read_with_their_words() {
    let text = "/// A thing.\n/// Really.\n#[derive(Debug)]\npub(super) struct Thing {\n    /// One.\n    \
                #[arg(long)]\n    pub(super) one: u8,\n}\n\nenum Kind {\n    /// First.\n    First,\n    \
                /// Second.\n    Second {\n        /// Deep.\n        deep: u8,\n    },\n}\n";
    let read = items(text);
    assert_eq!((read[0].name.as_str(), read[0].doc.as_str()), ("Thing", "A thing. Really."));
    assert_eq!(read[0].attributes, "#[derive(Debug)]");
    assert_eq!((read[0].parts[0].name.as_str(), read[0].parts[0].doc.as_str()), ("one", "One."));
    assert_eq!(read[0].parts[0].attributes, "#[arg(long)]");
    let names: Vec<&str> = read[1].parts.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["First", "Second"]);
}
