//! Files that consumers' offices take and give: the forms of the lodging portal, manifests of coaches, rosters, records of
//! readings.
//!
//! ```
//! use cccd_exports::{Attendance, Roster, Tap, sheet};
//!
//! let text = "Số định danh;Họ và tên;Ngày sinh;Ca thi;Số báo danh\n\
//!             000090123456;Nguyễn Văn Mẫu;02/01/1990;Sáng;A-01\n";
//! let roster = Roster::read(&sheet::of_csv(text.as_bytes())?)?;
//! let mut attendance = Attendance::new(&roster, "Sáng");
//! let tap = Tap { number: "000090123456", name: "NGUYỄN VĂN MẪU", birth: "02/01/1990", genuine: true };
//! let answer = attendance.tap(&tap, time::macros::datetime!(2026-11-20 07:10 +7));
//! assert_eq!(answer.code(), "admitted");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! It opens no file and asks nobody the time: bytes come in, bytes go out. A form is filled from the operator's own
//! copy of it, whose sheets are left as they are.

#![forbid(unsafe_code)]

pub mod lodging;
mod manifest;
pub mod record;
mod roster;
pub mod sheet;
mod table;

pub use manifest::{Manifest, Passenger, Seen};
pub use roster::{Admission, Answer, Attendance, Candidate, Difference, Roster, RosterError, Tap};
pub use table::{Table, TableFault};
