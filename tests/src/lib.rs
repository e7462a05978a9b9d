//! The whole agent over firmware-sim
