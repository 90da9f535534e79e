//! No circles between the modules of a crate: whoever reads one of them can read those it uses
//! first, and stop.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{Finding, assert_none, assert_one};
use crate::paths::{mentions, module_of};
use crate::workspace::{File, rust};

/// Two modules that are one idea in two files each, with the reason. An entry that is not needed
/// any more is a finding too.
const KNOTS: [(&str, &str, &str); 1] = [("core", "model", "spec")]; // a release keeps its whole spec, and a spec is said in words of the model

/// Who uses whom, and a place where.
type Graph = BTreeMap<String, BTreeMap<String, (String, usize)>>;

fn graph(crate_name: &str, files: &[&File]) -> Graph {
    let in_crate = |file: &&&File| module_of(file).is_some_and(|(name, _)| name == crate_name);
    let mut graph = Graph::new();
    for file in files.iter().filter(in_crate) {
        let Some((_, module)) = module_of(file) else { continue };
        let uses = graph.entry(module.to_owned()).or_default();
        for mention in mentions(file).into_iter().filter(|mention| mention.name != module) {
            uses.entry(mention.name).or_insert((file.path.clone(), mention.line));
        }
    }
    let modules: BTreeSet<String> = graph.keys().cloned().collect();
    for uses in graph.values_mut() {
        uses.retain(|name, _| modules.contains(name));
    }
    graph
}

/// Takes out the arrows within a knot; says where there was none.
fn untie(crate_name: &str, graph: &mut Graph, knots: &[(&str, &str, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for &(_, a, b) in knots.iter().filter(|&&(name, _, _)| name == crate_name) {
        let there = graph.get(a).is_some_and(|uses| uses.contains_key(b));
        let back = graph.get_mut(b).and_then(|uses| uses.remove(a));
        if !there || back.is_none() {
            let what = format!("`{a}` and `{b}` are no knot any more: take them out of KNOTS");
            findings.push(Finding::of(&format!("crates/{crate_name}"), what));
        }
    }
    findings
}

/// A way from `from` back to itself, shortest first by the order of names; empty where there is
/// none.
fn circle<'a>(graph: &'a Graph, from: &'a str) -> Vec<&'a str> {
    let mut ways = vec![vec![from]];
    let mut seen = BTreeSet::new();
    while let Some(way) = (!ways.is_empty()).then(|| ways.remove(0)) {
        let Some(uses) = way.last().and_then(|&last| graph.get(last)) else { continue };
        for next in uses.keys() {
            let further: Vec<&str> = way.iter().copied().chain([next.as_str()]).collect();
            if next == from {
                return further;
            }
            if seen.insert(next.as_str()) {
                ways.push(further);
            }
        }
    }
    Vec::new()
}

fn check(crate_name: &str, files: &[&File], knots: &[(&str, &str, &str)]) -> Vec<Finding> {
    let mut graph = graph(crate_name, files);
    let mut findings = untie(crate_name, &mut graph, knots);
    let mut told = BTreeSet::new();
    for module in graph.keys() {
        let way = circle(&graph, module);
        let members: BTreeSet<&str> = way.iter().copied().collect();
        if way.is_empty() || !told.insert(members) {
            continue;
        }
        let (file, line) = &graph[way[0]][way[1]];
        let what = format!("a circle: {}; move what both need below both", way.join(" -> "));
        findings.push(Finding::at(file, *line, what));
    }
    findings
}

#[test]
fn no_modules_of_a_crate_go_in_a_circle() {
    let files: Vec<&File> = rust().collect();
    let crates: BTreeSet<&str> = files.iter().filter_map(|f| Some(f.source()?.0)).collect();
    let findings: Vec<Finding> =
        crates.into_iter().flat_map(|name| check(name, &files, &KNOTS)).collect();
    assert_none(&findings);
}

#[test]
fn a_circle_is_seen_and_said_once() {
    let a = File::new("crates/x/src/a.rs", "use crate::b::B;\n");
    let b = File::new("crates/x/src/b.rs", "use std::fmt;\nuse crate::c::C;\n");
    let c = File::new("crates/x/src/c/deep.rs", "use crate::{d, a::A};\n");
    let d = File::new("crates/x/src/d.rs", "// crate::a is above\n");
    assert_one(&check("x", &[&a, &b, &c, &d], &[]), 1, "a circle: a -> b -> c -> a");
    assert_none(&check("x", &[&a, &b, &d], &[]));
}

#[test]
fn a_knot_is_allowed_only_while_it_is_one() {
    let a = File::new("crates/x/src/a.rs", "use crate::b::B;\n");
    let b = File::new("crates/x/src/b.rs", "use crate::a::A;\n");
    assert_none(&check("x", &[&a, &b], &[("x", "a", "b")]));
    assert_one(&check("x", &[&a], &[("x", "a", "b")]), 0, "no knot any more");
}
