//! Where a viewer's address is, by the operator's MaxMind databases.
//!
//! A database is read whole into memory when a configuration that names it is loaded, and shared between configurations as long as
//! its file stays the same. What it says of an address is taken over, and nothing is put in its place: no country of
//! registration for the country, no middle of a country for a place.

use maxminddb::{MaxMindDbError, Reader, geoip2};
use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::SystemTime,
};

/// A database that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", file.display())]
pub struct GeoError {
    file: PathBuf,
    reason: String,
}

/// What is known of an address.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Place {
    pub(super) country: Option<String>,
    pub(super) country_name: Option<String>,
    pub(super) region: Option<String>,
    pub(super) region_name: Option<String>,
    pub(super) city: Option<String>,
    /// Latitude and longitude in degrees.
    pub(super) position: Option<(f64, f64)>,
    pub(super) metro_code: Option<u16>,
    pub(super) postal_code: Option<String>,
    pub(super) time_zone: Option<String>,
    pub(super) asn: Option<u32>,
}

/// A database in memory.
type Database = Reader<Vec<u8>>;

/// The databases of one configuration. Cloning is cheap.
#[derive(Clone)]
pub struct GeoDatabases {
    places: Option<Arc<Database>>,
    networks: Option<Arc<Database>>,
    /// What a test says, in the place of both.
    played: Option<Arc<PlayedPlaces>>,
}

/// Where a test says that addresses are.
#[derive(Debug, Default)]
pub struct PlayedPlaces {
    places: Mutex<HashMap<IpAddr, PlayedPlace>>,
    /// Where all other addresses are; without it, nowhere.
    elsewhere: Option<PlayedPlace>,
}

/// A place in a test.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlayedPlace {
    /// ISO code of the country, in capitals.
    pub country: String,
    /// Code of the region.
    pub region: Option<String>,
    /// The city's name.
    pub city: Option<String>,
}

impl PlayedPlaces {
    /// All addresses are in one country.
    #[must_use]
    pub fn all_in(country: String) -> Self {
        Self { elsewhere: Some(PlayedPlace { country, ..PlayedPlace::default() }), ..Self::default() }
    }

    /// Puts an address at a place, or nowhere.
    pub fn put(&self, address: IpAddr, place: Option<PlayedPlace>) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        match place {
            Some(place) => drop(places.insert(address, place)),
            None => drop(places.remove(&address)),
        }
    }

    fn find(&self, address: IpAddr) -> Option<PlayedPlace> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.get(&address).or(self.elsewhere.as_ref()).cloned()
    }
}

impl fmt::Debug for GeoDatabases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind =
            |reader: &Option<Arc<Database>>| reader.as_ref().map(|reader| reader.metadata().database_type.to_string());
        f.debug_struct("GeoDatabases")
            .field("places", &kind(&self.places))
            .field("networks", &kind(&self.networks))
            .finish()
    }
}

impl GeoDatabases {
    /// None, but what a test says.
    #[must_use]
    pub fn played(places: Arc<PlayedPlaces>) -> Self {
        Self { places: None, networks: None, played: Some(places) }
    }

    /// The ISO code of the country that an address is in, in capitals.
    #[must_use]
    pub fn country(&self, address: IpAddr) -> Option<String> {
        if let Some(played) = &self.played {
            return played.find(address).map(|place| place.country);
        }
        let found = self.places.as_ref()?.lookup(address).and_then(|found| found.decode::<geoip2::Country<'_>>());
        found.ok()??.country.iso_code.map(str::to_owned)
    }

    pub(super) fn place(&self, address: IpAddr) -> Place {
        if let Some(played) = &self.played {
            let found = played.find(address).unwrap_or_default();
            let country = Some(found.country).filter(|country| !country.is_empty());
            return Place { country, region: found.region, city: found.city, ..Place::default() };
        }
        let mut place = self.places.as_ref().map(|reader| located(reader, address)).unwrap_or_default();
        place.asn = self.networks.as_ref().and_then(|reader| {
            reader.lookup(address).and_then(|found| found.decode::<geoip2::Asn<'_>>()).ok()??.autonomous_system_number
        });
        place
    }
}

/// A record that cannot be read is one that is not there; the file was looked over when it was opened.
fn located(reader: &Database, address: IpAddr) -> Place {
    let Ok(Some(found)) = reader.lookup(address).and_then(|found| found.decode::<geoip2::City<'_>>()) else {
        return Place::default();
    };
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let region = found.subdivisions.first();
    Place {
        country: owned(found.country.iso_code),
        country_name: owned(found.country.names.english),
        region: owned(region.and_then(|region| region.iso_code)),
        region_name: owned(region.and_then(|region| region.names.english)),
        city: owned(found.city.names.english),
        position: found.location.latitude.zip(found.location.longitude),
        metro_code: found.location.metro_code,
        postal_code: owned(found.postal.code),
        time_zone: owned(found.location.time_zone),
        asn: None,
    }
}

/// A file as it was when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    file: PathBuf,
    modified: SystemTime,
    length: u64,
}

/// Databases that some configuration uses; they outlive reloads.
#[derive(Default)]
pub struct OpenDatabases(Mutex<Vec<(Version, Weak<Database>)>>);

impl fmt::Debug for OpenDatabases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OpenDatabases").finish_non_exhaustive()
    }
}

impl OpenDatabases {
    /// Opens the databases of a configuration, those that are open already aside; `None` when it names none.
    ///
    /// # Errors
    /// A file cannot be read, or is no MaxMind database.
    pub fn open(&self, places: Option<&Path>, networks: Option<&Path>) -> Result<Option<GeoDatabases>, GeoError> {
        if places.is_none() && networks.is_none() {
            return Ok(None);
        }
        let places = places.map(|file| self.reader(file)).transpose()?;
        let networks = networks.map(|file| self.reader(file)).transpose()?;
        Ok(Some(GeoDatabases { places, networks, played: None }))
    }

    pub(super) fn reader(&self, file: &Path) -> Result<Arc<Database>, GeoError> {
        let failed = |reason: String| GeoError { file: file.to_owned(), reason };
        let metadata = std::fs::metadata(file).map_err(|error| failed(error.to_string()))?;
        let modified = metadata.modified().map_err(|error| failed(error.to_string()))?;
        let version = Version { file: file.to_owned(), modified, length: metadata.len() };
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(_, reader)| reader.strong_count() > 0);
        let known = open.iter().find(|(known, _)| *known == version).and_then(|(_, reader)| reader.upgrade());
        if let Some(reader) = known {
            return Ok(reader);
        }
        let reader = Reader::open_readfile(file).map_err(|error| failed(shown(&error)))?;
        let reader = Arc::new(reader);
        open.push((version, Arc::downgrade(&reader)));
        Ok(reader)
    }
}

fn shown(error: &MaxMindDbError) -> String {
    format!("is not a MaxMind database that can be used: {error}")
}
