//! Access and encryption.

use super::Key;
use super::reading::Reading::{AnyText, LongOrDefault, OnIf, OnIfTrue, TrueOrFalse};

const TLS: &str = "TLS is not built yet";
const EAGER: &str = "the leader checks every write, in its session's order, with the same answer: \
     one given before would overtake earlier requests, and come from an older tree";
const SASL: &str = "SASL is not built yet";
const SASL_REFUSED: &str = "SASL is not built yet, and without it no client could be admitted";

pub(super) static KEYS: &[Key] = &[
    Key::new("skipACL", OnIf("yes"), "no").says("Whether access lists are ignored."),
    Key::new("enableEagerACLCheck", OnIfTrue, "false")
        .says("Whether a server checks access before it forwards a write.")
        .no_effect(EAGER),
    Key::new("DigestAuthenticationProvider.enabled", OnIfTrue, "true")
        .says("Whether clients may authenticate by name and password."),
    Key::new("DigestAuthenticationProvider.digestAlg", AnyText, "SHA1").says(
        "The hash of passwords in access lists, by a name that Java 17 knows, such as SHA-256.",
    ),
    Key::new("DigestAuthenticationProvider.superDigest", AnyText, "")
        .says("The name and hash of the superuser, as super:hash."),
    Key::new("enforce.auth.enabled", OnIfTrue, "false")
        .says("Whether a client must have authenticated."),
    Key::new("enforce.auth.schemes", AnyText, "")
        .says("The schemes of which it must have used one, separated by commas."),
    Key::new("ensembleAuthName", AnyText, "").says(
        "Names of this ensemble, separated by commas; with EnsembleAuthenticationProvider, a \
            client that names another is disconnected.",
    ),
    Key::new("IPAuthenticationProvider.usexforwardedfor", OnIfTrue, "false")
        .says("Whether the address of a caller of the admin server is read from X-Forwarded-For.")
        .not_yet("it concerns the admin server only, where an address is the one that is seen"),
    Key::new("superUser", AnyText, "")
        .says("A superuser's name, as authenticated by SASL.")
        .not_yet(SASL),
    Key::new("superUser.*", AnyText, "").says("More such names.").not_yet(SASL),
    Key::new("X509AuthenticationProvider.superUser", AnyText, "")
        .says("The subject of a superuser's certificate.")
        .not_yet(TLS),
    Key::new("authProvider.*", AnyText, "").says(
        "A class of ZooKeeper's own that knows another scheme: org.apache.zookeeper.server.auth. \
            and EnsembleAuthenticationProvider, KeyAuthenticationProvider, Digest..., IP..., \
            SASL... or X509AuthenticationProvider.",
    ),
    Key::new("ssl.authProvider", AnyText, "x509").says("The scheme of certificates.").not_yet(TLS),
    Key::new("sessionRequireClientSASLAuth", OnIfTrue, "false")
        .says("Whether every client must have authenticated by SASL.")
        .refused(SASL_REFUSED),
    Key::new("allowSaslFailedClients", OnIfTrue, "false")
        .says("Whether a client may continue after SASL failed.")
        .not_yet(SASL),
    Key::new("SASLAuthenticationProvider.superPassword", AnyText, "")
        .says("The password of super in SASL.")
        .not_yet(SASL),
    Key::new("letAnySaslUserDoX", AnyText, "")
        .says("A name that stands for every client that SASL authenticated.")
        .not_yet(SASL),
    Key::new("sasl.serverconfig", AnyText, "Server")
        .says("The section of the login file.")
        .not_yet(SASL),
    Key::new("kinit", AnyText, "/usr/bin/kinit")
        .says("The command that renews a Kerberos ticket.")
        .not_yet(SASL),
    Key::new("kerberos.removeHostFromPrincipal", OnIfTrue, "false")
        .says("Whether hosts are cut from names.")
        .not_yet(SASL),
    Key::new("kerberos.removeRealmFromPrincipal", OnIfTrue, "false")
        .says("Whether realms are cut from names.")
        .not_yet(SASL),
    Key::new("kerberos.canonicalizeHostNames", OnIfTrue, "false")
        .says("Whether host names are looked up.")
        .not_yet(SASL),
    Key::new("kerberos.minReLoginTimeMs", LongOrDefault, "60000")
        .says("The shortest time between logins.")
        .not_yet(SASL),
    Key::new("security.auth_to_local", AnyText, "DEFAULT")
        .says("Rules from principals to names.")
        .not_yet(SASL),
    Key::new("requireKerberosConfig", OnIf("true"), "false")
        .says("Whether a Kerberos file must exist.")
        .not_yet(SASL),
    Key::new("quorum.auth.enableSasl", TrueOrFalse, "false")
        .says("Whether servers authenticate each other.")
        .file_only()
        .not_yet(SASL),
    Key::new("quorum.auth.learnerRequireSasl", TrueOrFalse, "false")
        .says("Whether a learner requires it.")
        .file_only()
        .not_yet(SASL),
    Key::new("quorum.auth.serverRequireSasl", TrueOrFalse, "false")
        .says("Whether a server requires it.")
        .file_only()
        .not_yet(SASL),
    Key::new("quorum.auth.kerberos.servicePrincipal", AnyText, "zkquorum/localhost")
        .says("The servers' principal.")
        .file_only()
        .not_yet(SASL),
    Key::new("quorum.auth.learner.saslLoginContext", AnyText, "QuorumLearner")
        .says("A learner's section of the login file.")
        .file_only()
        .not_yet(SASL),
    Key::new("quorum.auth.server.saslLoginContext", AnyText, "QuorumServer")
        .says("A server's section of the login file.")
        .file_only()
        .not_yet(SASL),
    Key::new("sslQuorum", TrueOrFalse, "false")
        .says("Whether servers use TLS among themselves.")
        .file_only()
        .not_yet(TLS),
    Key::new("portUnification", TrueOrFalse, "false")
        .says("Whether a server accepts others with and without TLS.")
        .file_only()
        .not_yet(TLS),
    Key::new("sslQuorumReloadCertFiles", TrueOrFalse, "false")
        .says("Whether changed certificates are reloaded.")
        .file_only()
        .not_yet(TLS),
    Key::new("client.portUnification", OnIfTrue, "false")
        .says("Whether clientPort accepts clients with TLS too.")
        .refused("TLS is not built yet: remove the line"),
    Key::new("client.certReload", OnIfTrue, "false")
        .says("Whether changed certificates are reloaded.")
        .not_yet(TLS),
    Key::new("fips-mode", OnIfTrue, "true")
        .says("Whether only certified ciphers are used.")
        .not_yet(TLS),
    Key::new("ssl.keyStore.location", AnyText, "")
        .says("The file of the server's key.")
        .not_yet(TLS),
    Key::new("ssl.keyStore.password", AnyText, "").says("Its password.").not_yet(TLS),
    Key::new("ssl.keyStore.passwordPath", AnyText, "")
        .says("The file of its password.")
        .not_yet(TLS),
    Key::new("ssl.keyStore.type", AnyText, "").says("Its kind.").not_yet(TLS),
    Key::new("ssl.trustStore.location", AnyText, "")
        .says("The file of the trusted certificates.")
        .not_yet(TLS),
    Key::new("ssl.trustStore.password", AnyText, "").says("Its password.").not_yet(TLS),
    Key::new("ssl.trustStore.passwordPath", AnyText, "")
        .says("The file of its password.")
        .not_yet(TLS),
    Key::new("ssl.trustStore.type", AnyText, "").says("Its kind.").not_yet(TLS),
    Key::new("ssl.protocol", AnyText, "").says("The version of TLS.").not_yet(TLS),
    Key::new("ssl.enabledProtocols", AnyText, "").says("The versions allowed.").not_yet(TLS),
    Key::new("ssl.ciphersuites", AnyText, "").says("The ciphers allowed.").not_yet(TLS),
    Key::new("ssl.context.supplier.class", AnyText, "")
        .says("The Java class that creates contexts.")
        .not_yet(TLS),
    Key::new("ssl.hostnameVerification", AnyText, "")
        .says("Whether a server's name is checked.")
        .not_yet(TLS),
    Key::new("ssl.clientHostnameVerification", AnyText, "")
        .says("Whether a client's name is checked.")
        .not_yet(TLS),
    Key::new("ssl.allowReverseDnsLookup", AnyText, "")
        .says("Whether names are looked up for it.")
        .not_yet(TLS),
    Key::new("ssl.crl", AnyText, "").says("Whether revocation lists are read.").not_yet(TLS),
    Key::new("ssl.ocsp", AnyText, "").says("Whether revocation is queried.").not_yet(TLS),
    Key::new("ssl.clientAuth", AnyText, "")
        .says("Whether a client must present a certificate.")
        .not_yet(TLS),
    Key::new("ssl.handshakeDetectionTimeoutMillis", AnyText, "")
        .says("How long the first byte may take.")
        .not_yet(TLS),
    Key::new("ssl.quorum.keyStore.location", AnyText, "")
        .says("The file of the key towards other servers.")
        .not_yet(TLS),
    Key::new("ssl.quorum.keyStore.password", AnyText, "").says("Its password.").not_yet(TLS),
    Key::new("ssl.quorum.keyStore.passwordPath", AnyText, "")
        .says("The file of its password.")
        .not_yet(TLS),
    Key::new("ssl.quorum.keyStore.type", AnyText, "").says("Its kind.").not_yet(TLS),
    Key::new("ssl.quorum.trustStore.location", AnyText, "")
        .says("The file of the trusted certificates.")
        .not_yet(TLS),
    Key::new("ssl.quorum.trustStore.password", AnyText, "").says("Its password.").not_yet(TLS),
    Key::new("ssl.quorum.trustStore.passwordPath", AnyText, "")
        .says("The file of its password.")
        .not_yet(TLS),
    Key::new("ssl.quorum.trustStore.type", AnyText, "").says("Its kind.").not_yet(TLS),
    Key::new("ssl.quorum.protocol", AnyText, "").says("The version of TLS.").not_yet(TLS),
    Key::new("ssl.quorum.enabledProtocols", AnyText, "").says("The versions allowed.").not_yet(TLS),
    Key::new("ssl.quorum.ciphersuites", AnyText, "").says("The ciphers allowed.").not_yet(TLS),
    Key::new("ssl.quorum.context.supplier.class", AnyText, "")
        .says("The Java class that creates contexts.")
        .not_yet(TLS),
    Key::new("ssl.quorum.hostnameVerification", AnyText, "")
        .says("Whether a server's name is checked.")
        .not_yet(TLS),
    Key::new("ssl.quorum.clientHostnameVerification", AnyText, "")
        .says("Whether a client's name is checked.")
        .not_yet(TLS),
    Key::new("ssl.quorum.allowReverseDnsLookup", AnyText, "")
        .says("Whether names are looked up for it.")
        .not_yet(TLS),
    Key::new("ssl.quorum.crl", AnyText, "").says("Whether revocation lists are read.").not_yet(TLS),
    Key::new("ssl.quorum.ocsp", AnyText, "").says("Whether revocation is queried.").not_yet(TLS),
    Key::new("ssl.quorum.clientAuth", AnyText, "")
        .says("Whether a client must present a certificate.")
        .not_yet(TLS),
    Key::new("ssl.quorum.handshakeDetectionTimeoutMillis", AnyText, "")
        .says("How long the first byte may take.")
        .not_yet(TLS),
    Key::new("ssl.sslProvider", AnyText, "").says("The library that does TLS.").not_yet(TLS),
];
