//! Plays cases that are requests to the whole edge: single ones, and flows of several steps with one clock and one cache.

use super::{Failure, Played, Ran, check, console, failure};
use crate::{
    admin::purge_scopes,
    cache::{PurgeKind, PurgeOrder},
    record::AdmissionPart,
    workbench::{
        cases::{Case, EdgeCase, Expectation, PurgeStep, RequestStep, Step, Subject},
        engine::{Engine, Entrance, Play, Scene, Setting},
        near::{self, Reason},
        values,
    },
};
use edgehook_config::Assign;
use std::collections::BTreeMap;

/// Plays the requests of a case one after the other, or those of a step together.
pub(super) async fn play(engine: &Engine, case: &Case, edge: &EdgeCase, played: &mut Played) -> Result<(), Failure> {
    let setting = Setting { clock: case.clock, seed: case.seed, origins: edge.origins.clone() };
    let play = engine.play(&setting).map_err(|error| failure(&case.place, error.to_string()))?;
    let (mut saved, mut assigned) = (BTreeMap::new(), Assigned::new());
    for (index, step) in edge.steps.iter().enumerate() {
        let number = edge.stepwise.then_some((index + 1, edge.steps.len()));
        let result = match step {
            Step::Advance(time) => {
                play.world.advance(*time).await;
                Ok(())
            }
            Step::Purge(purge) => purge_now(&play, purge).map_err(|text| failure(&case.place, text)),
            Step::Request(request) => {
                let act = Act { engine, edge, play: &play, step: index + 1 };
                act.requests(std::slice::from_ref(&**request), &mut saved, &mut assigned, played).await
            }
            Step::Parallel(requests) => {
                let act = Act { engine, edge, play: &play, step: index + 1 };
                act.requests(requests, &mut saved, &mut assigned, played).await
            }
        };
        result.map_err(|failure| Failure { step: number, ..failure })?;
    }
    Ok(())
}

fn purge_now(play: &Play, step: &PurgeStep) -> Result<(), String> {
    let site = play.site();
    let wanted = serde_json::json!({
        "urls": step.urls, "prefixes": step.prefixes, "hosts": step.hosts, "tags": step.tags, "all": step.all,
    });
    let scopes = purge_scopes(wanted, &site)?;
    let kind = if step.soft { PurgeKind::Soft } else { PurgeKind::Hard };
    let order = PurgeOrder { scopes, kind, sync: false, count: false };
    // It holds as soon as this returns; there is no journal here that could fail.
    let _ = site.cache.purge(&order, play.world.now());
    Ok(())
}

/// Where the requests of one step go.
struct Act<'a> {
    engine: &'a Engine,
    edge: &'a EdgeCase,
    play: &'a Play,
    /// Its number, from 1.
    step: usize,
}

/// The step in which a variant of an experiment was first assigned, and the variant.
type Assigned = BTreeMap<String, (usize, String)>;

impl Act<'_> {
    async fn requests(
        &self,
        steps: &[RequestStep],
        saved: &mut BTreeMap<String, String>,
        assigned: &mut Assigned,
        played: &mut Played,
    ) -> Result<(), Failure> {
        let site = self.play.site();
        let mut entrances: Vec<Entrance> = Vec::new();
        for step in steps {
            let entrance = values::entrance(self.engine, &site, step, saved, self.play.world.seconds());
            entrances.push(entrance.map_err(|text| failure(&step.place, text))?);
        }
        let scenes = match entrances.as_slice() {
            [only] => vec![self.play.send(only).await],
            several => self.play.send_together(several).await,
        };
        let asked = self.play.asked();
        let undeclared = self.play.undeclared();
        for (step, scene) in steps.iter().zip(&scenes) {
            note_runs(played, scene);
            let guard = || scene.told.admission.as_ref().map(guard);
            played.guard = played.guard.take().or_else(guard);
            if let Some(origin) = undeclared.first() {
                let text = format!("origin {origin:?} was asked, and the test declares no origin.{origin}");
                return Err(failure(&step.place, text));
            }
            if let Some(behavior) = &self.edge.behavior {
                let chosen = scene.told.behavior.as_ref().map(|part| part.path.as_str()).unwrap_or_default();
                if chosen != behavior {
                    return Err(failure(&step.place, format!("expected behavior {behavior:?}, got {chosen:?}")));
                }
            }
            let actual = |subject: &Subject| values::of_scene(subject, scene, &asked);
            check(&step.expect, &actual, saved, played)
                .map_err(|(expectation, text)| self.explained(expectation, text, scene, assigned))?;
            for part in &scene.told.experiments {
                assigned.entry(part.name.clone()).or_insert_with(|| (self.step, part.variant.clone()));
            }
            for (name, what) in &step.save {
                let value = values::saved(what, scene);
                let value = value.ok_or_else(|| failure(&step.place, format!("save: the answer has no {what}")))?;
                saved.insert(name.clone(), value);
            }
        }
        Ok(())
    }

    /// A failure with what is behind it.
    fn explained(&self, expectation: &Expectation, text: String, scene: &Scene, assigned: &Assigned) -> Failure {
        let cache = matches!(expectation.what, Subject::Cache | Subject::OriginCalls | Subject::Age | Subject::Hooks);
        let mut reasons = Vec::new();
        if cache {
            let key = scene.record.trace.as_deref().and_then(|trace| trace.key.as_ref());
            let near = key.and_then(|key| {
                let site = self.play.site();
                site.cache.nearest(&key.keyed.key, &key.request.headers, self.play.world.now())
            });
            reasons = near::why(&scene.told, near.as_ref());
            reasons.extend(self.moved(scene, assigned));
        } else if let Some(why) = &scene.told.failure {
            reasons.push(Reason { label: "reason".to_owned(), text: crate::record::shown(why) });
        }
        let logs: Vec<String> = scene.told.hooks.iter().flat_map(|hook| hook.console.clone()).collect();
        reasons.extend(console(&logs));
        Failure { reasons, ..failure(&expectation.place, text) }
    }

    /// A hint where the viewer is not in the variant of an earlier step.
    fn moved(&self, scene: &Scene, assigned: &Assigned) -> Option<Reason> {
        let part = scene
            .told
            .experiments
            .iter()
            .find(|part| assigned.get(&part.name).is_some_and(|(_, variant)| *variant != part.variant))?;
        let (step, before) = assigned.get(&part.name)?;
        let now = match self.engine.config().experiments.get(&part.name).map(|experiment| &experiment.assign) {
            Some(Assign::Cookie(name)) => match sent_cookie(scene, name) {
                Some(value) => format!("sent cookie {name}={value:?}"),
                None => format!("sent no cookie {name} and was assigned {:?}", part.variant),
            },
            _ => format!("was assigned {:?}", part.variant),
        };
        Some(near::reason("hint", format!("step {step} assigned {before:?}; step {} {now}", self.step)))
    }
}

/// The value of a cookie as the viewer sent it.
fn sent_cookie(scene: &Scene, name: &str) -> Option<String> {
    let sent = scene.told.request.as_ref()?.headers.iter().filter(|(field, _)| field == "cookie");
    let mut pairs = sent.flat_map(|(_, value)| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
}

/// `authorizer staff`, whether it let the viewer in or not.
fn guard(part: &AdmissionPart) -> String {
    match &part.reason {
        Some(reason) => reason.split(": ").next().unwrap_or_default().to_owned(),
        None => part.by.join(", "),
    }
}

fn note_runs(played: &mut Played, scene: &Scene) {
    let run = |hook: &crate::record::HookRecord| Ran {
        function: hook.function.clone(),
        cpu: hook.cpu.map(|(cpu, _)| cpu),
        utilization: hook.utilization,
        console: hook.logs.clone(),
    };
    played.runs.extend(scene.record.hooks.iter().map(run));
}
