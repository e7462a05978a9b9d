//! The chip conversation of ICAO 9303-11: PACE, BAC, secure messaging, file reading
