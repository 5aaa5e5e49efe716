//! Reads `oracle/deviations.toml`: where this product answers otherwise than Medusa on purpose, step by step, and why.

use std::collections::BTreeMap;

use cr_testkit::real_medusa::Version;
use serde::Deserialize;
use serde_json::Value;

use crate::rules::{self, Rule};
use crate::transcript::{Response, Scenario, Step, folder};

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    #[serde(default)]
    gateway: Vec<Gateway>,
    #[serde(default)]
    rule: Vec<NamedRule>,
    #[serde(default)]
    deviation: Vec<Deviation>,
    #[serde(default)]
    adaptation: Vec<Adaptation>,
    /// Deviations of a Medusa behind the gateway; those above are of this product's own answers.
    #[serde(skip)]
    through: Vec<Deviation>,
}

/// Scenarios or steps of routes that are not this product's.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Gateway {
    /// A name, or the beginning of one and `*`.
    scenario: String,
    /// Step names; none: all.
    #[serde(default)]
    steps: Vec<String>,
    reason: String,
}

/// A deviation that holds everywhere.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedRule {
    name: String,
    reason: String,
}

/// What differs in some steps of a scenario. At least one of the pieces is there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deviation {
    scenario: String,
    steps: Vec<String>,
    reason: String,
    /// The answer is the one that Medusa gave to this other step.
    like: Option<String>,
    status: Option<u16>,
    #[serde(default)]
    headers: BTreeMap<String, Value>,
    #[serde(default)]
    without_headers: Vec<String>,
    /// JSON instead of the recorded body or text.
    body: Option<String>,
    /// Text instead of the recorded body.
    text: Option<String>,
    /// Dotted path to JSON.
    #[serde(default)]
    at: BTreeMap<String, String>,
    /// Labels that stand for another value from this step on.
    #[serde(default)]
    renames: Vec<String>,
}

/// What is sent or captured otherwise, so that a step still shows what it is there for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Adaptation {
    scenario: String,
    steps: Vec<String>,
    reason: String,
    /// JSON sent instead of the recorded body.
    pub(crate) json: Option<String>,
    /// Text sent instead of the recorded body.
    pub(crate) body: Option<String>,
    /// Captured besides or instead.
    #[serde(default)]
    pub(crate) capture: BTreeMap<String, String>,
    /// Statements run before the step.
    pub(crate) sql: Option<String>,
    /// A variable that becomes a reset token which the server knows, for the account of the variable `reg_authid`.
    pub(crate) reset_token: Option<ResetToken>,
    /// Text of the request's headers that is replaced.
    #[serde(default)]
    pub(crate) replace_in_headers: BTreeMap<String, String>,
}

/// A reset token as this product issues it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResetToken {
    /// The variable that it is put in.
    pub(crate) variable: String,
    /// Its `entity_id`.
    pub(crate) entity_id: String,
    /// Its `provider`.
    pub(crate) provider: String,
}

/// The answer that is wanted from this product.
pub(crate) struct Wanted {
    /// Medusa's, with the rules that hold everywhere.
    pub(crate) usual: Response,
    /// With this step's deviations; the same as `usual` when it has none.
    pub(crate) deviating: Response,
    /// Whether deviations are listed for this step.
    pub(crate) is_listed: bool,
    /// Labels that stand for another value from here on.
    pub(crate) renames: Vec<String>,
}

impl Deviation {
    /// Whether it is one of this step.
    fn is_of(&self, scenario: &str, step: &str) -> bool {
        self.scenario == scenario && self.steps.iter().any(|name| name == step)
    }
}

impl Plan {
    /// The file, read and parsed.
    pub(crate) fn load() -> Self {
        Self::parse(&std::fs::read_to_string(folder().join("deviations.toml")).unwrap())
    }

    /// With what holds besides for a Medusa behind the gateway.
    pub(crate) fn load_through(version: Version) -> Self {
        let mut plan = Self::load();
        let through = Self::load_gateway(version);
        plan.gateway.clear();
        // Rows that stand in for what only Medusa makes.
        plan.adaptation.retain(|adaptation| adaptation.sql.is_none());
        plan.through = through.deviation;
        plan.adaptation.extend(through.adaptation);
        plan
    }

    /// What holds for a Medusa behind the gateway alone.
    pub(crate) fn load_gateway(version: Version) -> Self {
        let name = if version == Version::Pinned { "gateway.toml" } else { "gateway-2.21.2.toml" };
        Self::parse(&std::fs::read_to_string(folder().join(name)).unwrap())
    }

    /// The text of such a file.
    pub(crate) fn parse(text: &str) -> Self {
        toml::from_str(text).unwrap_or_else(|error| panic!("oracle/deviations.toml: {error}"))
    }

    /// Whether the step belongs to a route that a Medusa behind the gateway answers.
    pub(crate) fn is_gateways(&self, scenario: &str, step: &str) -> bool {
        self.gateway.iter().any(|entry| {
            is_named(&entry.scenario, scenario)
                && (entry.steps.is_empty() || entry.steps.iter().any(|name| name == step))
        })
    }

    /// The adaptations of one step.
    pub(crate) fn adaptations(&self, scenario: &str, step: &str) -> impl Iterator<Item = &Adaptation> {
        let is_it = move |entry: &&Adaptation| {
            is_named(&entry.scenario, scenario) && entry.steps.iter().any(|name| is_named(name, step))
        };
        self.adaptation.iter().filter(is_it)
    }

    /// The answer wanted for one step; the upstream's own answers follow no rule of ours.
    pub(crate) fn wanted(&self, scenario: &Scenario, step: &Step, is_upstreams: bool) -> Wanted {
        let is_it = |entry: &&Deviation| entry.is_of(&scenario.name, &step.name);
        let ours = self.deviation.iter().filter(|entry| !is_upstreams && is_it(entry));
        let entries: Vec<&Deviation> = ours.chain(self.through.iter().filter(is_it)).collect();
        let mut usual = step.response.clone();
        if is_upstreams {
            rules::passed_on(&mut usual);
        } else {
            usual = self.with_rules(&step.response);
        }
        let mut deviating = usual.clone();
        for entry in &entries {
            for piece in entry.pieces() {
                self.apply(scenario, &piece, &mut deviating);
            }
        }
        let renames = entries.iter().flat_map(|entry| entry.renames.clone()).collect();
        Wanted { usual, deviating, is_listed: !entries.is_empty(), renames }
    }

    /// What is wrong with the file itself: names of nothing, pieces that change nothing, a rule without effect, a missing reason.
    pub(crate) fn problems(&self, scenarios: &[Scenario]) -> Vec<String> {
        let mut problems = Vec::new();
        for rule in &self.rule {
            match rules::named(&rule.name) {
                None => problems.push(format!("rule {}: there is none of that name", rule.name)),
                Some(apply) if !self.changes_something(scenarios, apply) => {
                    problems.push(format!("rule {}: changes no recorded answer", rule.name));
                }
                Some(_) => {}
            }
        }
        for (what, scenario, steps, reason) in self.references() {
            let named: Vec<&Scenario> =
                scenarios.iter().filter(|candidate| is_named(scenario, &candidate.name)).collect();
            if named.is_empty() {
                problems.push(format!("{what} {scenario}: there is no such scenario"));
            }
            for name in steps {
                if !named.iter().any(|scenario| scenario.steps.iter().any(|step| is_named(name, &step.name))) {
                    problems.push(format!("{what} {scenario} / {name}: there is no such step"));
                }
            }
            if reason.trim().is_empty() {
                problems.push(format!("{what} {scenario}: no reason is given"));
            }
        }
        for scenario in scenarios {
            for step in &scenario.steps {
                problems.extend(self.idle_pieces(scenario, step));
            }
        }
        problems
    }

    /// The scenario, steps and reason of every entry, and what kind of entry it is.
    fn references(&self) -> impl Iterator<Item = (&'static str, &str, &[String], &str)> {
        let gateway =
            self.gateway.iter().map(|entry| ("gateway", entry.scenario.as_str(), &*entry.steps, entry.reason.as_str()));
        let deviation = self
            .deviation
            .iter()
            .map(|entry| ("deviation", entry.scenario.as_str(), &*entry.steps, entry.reason.as_str()));
        let adaptation = self
            .adaptation
            .iter()
            .map(|entry| ("adaptation", entry.scenario.as_str(), &*entry.steps, entry.reason.as_str()));
        let rule = self.rule.iter().map(|entry| ("rule", "*", &[] as &[String], entry.reason.as_str()));
        gateway.chain(deviation).chain(adaptation).chain(rule)
    }

    /// Pieces of a step's deviations that leave the wanted answer as it was, and deviations of steps that are not ours.
    fn idle_pieces(&self, scenario: &Scenario, step: &Step) -> Vec<String> {
        let mut problems = Vec::new();
        let place = format!("deviation {} / {}", scenario.name, step.name);
        let mut deviating = self.with_rules(&step.response);
        for entry in self.deviations(&scenario.name, &step.name) {
            if self.is_gateways(&scenario.name, &step.name) {
                problems.push(format!("{place}: the step is the gateway's"));
            }
            let pieces = entry.pieces();
            if pieces.is_empty() && entry.renames.is_empty() {
                problems.push(format!("{place}: says nothing"));
            }
            for piece in pieces {
                let before = deviating.clone();
                self.apply(scenario, &piece, &mut deviating);
                if deviating == before {
                    problems.push(format!("{place}: {piece:?} is what Medusa answers"));
                }
            }
        }
        problems
    }

    /// Whether a rule changes any recorded answer of a step that is ours.
    fn changes_something(&self, scenarios: &[Scenario], rule: Rule) -> bool {
        scenarios.iter().any(|scenario| {
            scenario.steps.iter().filter(|step| !self.is_gateways(&scenario.name, &step.name)).any(|step| {
                let mut response = step.response.clone();
                rule(&mut response);
                response != step.response
            })
        })
    }

    /// The deviations of one step.
    fn deviations(&self, scenario: &str, step: &str) -> impl Iterator<Item = &Deviation> {
        self.deviation.iter().filter(move |entry| entry.is_of(scenario, step))
    }

    /// A recorded answer after the rules that hold everywhere.
    fn with_rules(&self, recorded: &Response) -> Response {
        let mut response = recorded.clone();
        for rule in self.rule.iter().filter_map(|rule| rules::named(&rule.name)) {
            rule(&mut response);
        }
        response
    }

    /// Applies one piece of a deviation.
    fn apply(&self, scenario: &Scenario, piece: &Piece<'_>, response: &mut Response) {
        match *piece {
            Piece::Like(name) => {
                let step = scenario.step(name).unwrap_or_else(|| panic!("{}: no step {name}", scenario.name));
                *response = Response { db: response.db.clone(), ..self.with_rules(&step.response) };
            }
            Piece::Status(status) => response.status = status,
            Piece::Header(name, value) => {
                response.headers.insert(name.to_owned(), value.clone());
            }
            Piece::WithoutHeader(name) => {
                response.headers.shift_remove(name);
            }
            Piece::Body(json) => {
                response.body = Some(parse(json));
                response.text = None;
                response.jwts = None;
            }
            Piece::Text(text) => {
                response.text = Some(text.to_owned());
                response.body = None;
                response.jwts = None;
            }
            Piece::At(path, json) => {
                assert!(response.replace(path, parse(json)), "{}: nothing is at {path} in {response:?}", scenario.name);
            }
        }
    }
}

/// One thing that differs.
#[derive(Debug)]
enum Piece<'a> {
    Like(&'a str),
    Status(u16),
    Header(&'a str, &'a Value),
    WithoutHeader(&'a str),
    Body(&'a str),
    Text(&'a str),
    At(&'a str, &'a str),
}

impl Deviation {
    /// What differs, in the order in which it is applied.
    fn pieces(&self) -> Vec<Piece<'_>> {
        let mut pieces = Vec::new();
        pieces.extend(self.like.as_deref().map(Piece::Like));
        pieces.extend(self.status.map(Piece::Status));
        pieces.extend(self.headers.iter().map(|(name, value)| Piece::Header(name, value)));
        pieces.extend(self.without_headers.iter().map(|name| Piece::WithoutHeader(name)));
        pieces.extend(self.body.as_deref().map(Piece::Body));
        pieces.extend(self.text.as_deref().map(Piece::Text));
        pieces.extend(self.at.iter().map(|(path, json)| Piece::At(path, json)));
        pieces
    }
}

/// JSON that stands in the file as text, so that the order of its keys is kept.
fn parse(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("oracle/deviations.toml: {json}: {error}"))
}

/// Whether a name is meant by another that may end in `*`.
fn is_named(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}
