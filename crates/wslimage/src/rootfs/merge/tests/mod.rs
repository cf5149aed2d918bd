//! Layers in a small language, and what an extractor makes of their plan.

mod extract;
mod hostile;
mod language;
mod model;
mod rules;
