//! What uploaded TOSCA files say, as rows that SQL can join and as parts that can be matched.
//!
//! A file is a document with its tree at top level and its text in `_original_yaml`, as uploads make
//! it. TOSCA 1.0 to 2.0 is read; nothing is validated, and what has another shape than TOSCA gives it
//! is passed over. Rows are a function of the document, so they are the same on every replica, and change
//! with it in the same transaction.
//!
//! No import is followed and no function is called. What a document unfolds to is bounded by its size,
//! the number of its rows, and the depth and number of the conditions of a filter.

mod definitions;
mod derived;
mod filter;
mod kind;
mod reading;
mod rows;
mod shape;
mod tables;
mod template;
mod views;

pub use definitions::local_name;
pub use filter::{FilterCondition, FilterTerm, TermPlace, conditions};
pub use kind::TemplateKind;
pub use reading::{Owner, OwnerKind, TypeEdge};

pub use shape::is_function;
pub use template::{NodeTemplate, Requirement, node_templates};

pub(crate) use reading::{owners, resources, templates, type_edges, type_owners};
pub(crate) use tables::{TABLES, add, clear, fill, remove};
pub(crate) use views::selects;
