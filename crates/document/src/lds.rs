//! The files of the logical data structure, from bytes to types (ICAO 9303-10, 4).

pub mod biometrics;
pub mod dg1;
pub mod dg11;
pub mod dg12;
pub mod dg13;
pub mod dg14;
pub mod dg15;
pub mod dg2;
pub mod ef_com;
pub mod ef_sod;

pub use biometrics::{Biometric, BiometricGroup, BiometricImage, Biometrics};
pub use dg1::DataGroup1;
pub use dg2::DataGroup2;
pub use dg11::DataGroup11;
pub use dg12::DataGroup12;
pub use dg13::DataGroup13;
pub use dg14::DataGroup14;
pub use dg15::DataGroup15;
pub use ef_com::EfCom;
pub use ef_sod::EfSod;
