//! Who may do what, and encryption.

use super::{ANY_INT, Form, Key, flag, text, whole};

const TLS: &str = "TLS is not built yet";
const PEERS: &str = "only servers of an ensemble use it, and ensembles are not built yet";
const SASL: &str = "SASL is not built yet";
const SASL_REFUSED: &str = "SASL is not built yet, and without it no client could be let in";

pub(super) static KEYS: &[Key] = &[
    Key::new("skipACL", Form::YesNo, "no", "Whether access lists are passed over."),
    flag(
        "enableEagerACLCheck",
        "false",
        "Whether a server checks access before it forwards a \
        write.",
    )
    .not_yet(PEERS),
    flag(
        "DigestAuthenticationProvider.enabled",
        "true",
        "Whether clients may show a name and a \
        password.",
    ),
    text(
        "DigestAuthenticationProvider.digestAlg",
        "SHA1",
        "The hash of passwords in access lists, by a name that Java 17 knows, as SHA-256.",
    ),
    text(
        "DigestAuthenticationProvider.superDigest",
        "",
        "The name and hash, as super:hash, of the \
        one who may do everything.",
    ),
    flag("enforce.auth.enabled", "false", "Whether a client must have shown who it is."),
    text(
        "enforce.auth.schemes",
        "",
        "The schemes of which it must have shown one, separated by commas.",
    ),
    Key::new(
        "ensembleAuthName",
        Form::MaybeEmpty,
        "",
        "Names of this ensemble, separated by commas; with EnsembleAuthenticationProvider, a \
        client that asks for another is sent away.",
    ),
    flag(
        "IPAuthenticationProvider.usexforwardedfor",
        "false",
        "Whether the address of a caller of \
        the admin server is read from X-Forwarded-For.",
    )
    .not_yet("only callers of the admin server are meant, and it does not ask who they are"),
    text("superUser", "", "A name that SASL has proved, of one who may do everything.")
        .not_yet(SASL),
    text("superUser.*", "", "More such names.").not_yet(SASL),
    text(
        "X509AuthenticationProvider.superUser",
        "",
        "The subject of the certificate of one who \
        may do everything.",
    )
    .not_yet(TLS),
    Key::new(
        "authProvider.*",
        Form::MaybeEmpty,
        "",
        "A class of ZooKeeper's own that knows another scheme: org.apache.zookeeper.server.auth. \
        and EnsembleAuthenticationProvider, KeyAuthenticationProvider, Digest..., IP..., SASL... \
        or X509AuthenticationProvider.",
    ),
    text("ssl.authProvider", "x509", "The scheme of certificates.").not_yet(TLS),
    flag(
        "sessionRequireClientSASLAuth",
        "false",
        "Whether every client must have shown who it is \
        by SASL.",
    )
    .refused(SASL_REFUSED),
    flag("allowSaslFailedClients", "false", "Whether a client goes on after SASL failed.")
        .not_yet(SASL),
    text("SASLAuthenticationProvider.superPassword", "", "The password of super in SASL.")
        .not_yet(SASL),
    text("letAnySaslUserDoX", "", "A name that stands for everyone whom SASL has proved.")
        .not_yet(SASL),
    text("sasl.serverconfig", "Server", "The section of the login file.").not_yet(SASL),
    text("kinit", "/usr/bin/kinit", "The command that renews a Kerberos ticket.").not_yet(SASL),
    flag("kerberos.removeHostFromPrincipal", "false", "Whether hosts are cut from names.")
        .not_yet(SASL),
    flag("kerberos.removeRealmFromPrincipal", "false", "Whether realms are cut from names.")
        .not_yet(SASL),
    flag("kerberos.canonicalizeHostNames", "false", "Whether host names are looked up.")
        .not_yet(SASL),
    whole("kerberos.minReLoginTimeMs", ANY_INT, "60000", "The shortest time between logins.")
        .not_yet(SASL),
    text("security.auth_to_local", "DEFAULT", "Rules from principals to names.").not_yet(SASL),
    flag("requireKerberosConfig", "false", "Whether a Kerberos file must be there.").not_yet(SASL),
    flag(
        "quorum.auth.enableSasl",
        "false",
        "Whether servers show each other who they \
        are.",
    )
    .file_only()
    .not_yet(PEERS),
    flag(
        "quorum.auth.learnerRequireSasl",
        "false",
        "Whether a learner insists on \
        it.",
    )
    .file_only()
    .not_yet(PEERS),
    flag("quorum.auth.serverRequireSasl", "false", "Whether a server insists on it.")
        .file_only()
        .not_yet(PEERS),
    text(
        "quorum.auth.kerberos.servicePrincipal",
        "zkquorum/localhost",
        "The servers' \
        principal.",
    )
    .file_only()
    .not_yet(PEERS),
    text(
        "quorum.auth.learner.saslLoginContext",
        "QuorumLearner",
        "A learner's section of the \
        login file.",
    )
    .file_only()
    .not_yet(PEERS),
    text(
        "quorum.auth.server.saslLoginContext",
        "QuorumServer",
        "A server's section of the login \
        file.",
    )
    .file_only()
    .not_yet(PEERS),
    flag("sslQuorum", "false", "Whether servers use TLS among themselves.")
        .file_only()
        .not_yet(PEERS),
    flag(
        "portUnification",
        "false",
        "Whether a server hears others with and without \
        TLS.",
    )
    .file_only()
    .not_yet(PEERS),
    flag(
        "sslQuorumReloadCertFiles",
        "false",
        "Whether changed certificates are read \
        again.",
    )
    .file_only()
    .not_yet(PEERS),
    flag("client.portUnification", "false", "Whether clientPort takes clients with TLS too.")
        .refused("TLS is not built yet: remove the line"),
    flag("client.certReload", "false", "Whether changed certificates are read again.").not_yet(TLS),
    flag("fips-mode", "true", "Whether only certified ciphers are used.").not_yet(TLS),
    text("ssl.keyStore.location", "", "The file of the server's key.").not_yet(TLS),
    text("ssl.keyStore.password", "", "Its password.").not_yet(TLS),
    text("ssl.keyStore.passwordPath", "", "The file of its password.").not_yet(TLS),
    text("ssl.keyStore.type", "", "Its kind.").not_yet(TLS),
    text("ssl.trustStore.location", "", "The file of the certificates believed.").not_yet(TLS),
    text("ssl.trustStore.password", "", "Its password.").not_yet(TLS),
    text("ssl.trustStore.passwordPath", "", "The file of its password.").not_yet(TLS),
    text("ssl.trustStore.type", "", "Its kind.").not_yet(TLS),
    text("ssl.protocol", "", "The version of TLS.").not_yet(TLS),
    text("ssl.enabledProtocols", "", "The versions allowed.").not_yet(TLS),
    text("ssl.ciphersuites", "", "The ciphers allowed.").not_yet(TLS),
    text("ssl.context.supplier.class", "", "The Java class that makes contexts.").not_yet(TLS),
    text("ssl.hostnameVerification", "", "Whether a server's name is checked.").not_yet(TLS),
    text("ssl.clientHostnameVerification", "", "Whether a client's name is checked.").not_yet(TLS),
    text("ssl.allowReverseDnsLookup", "", "Whether names are looked up for it.").not_yet(TLS),
    text("ssl.crl", "", "Whether revocation lists are read.").not_yet(TLS),
    text("ssl.ocsp", "", "Whether revocation is asked for.").not_yet(TLS),
    text("ssl.clientAuth", "", "Whether a client must show a certificate.").not_yet(TLS),
    text("ssl.handshakeDetectionTimeoutMillis", "", "How long the first byte may take.")
        .not_yet(TLS),
    text("ssl.quorum.keyStore.location", "", "The file of the key towards other servers.")
        .not_yet(PEERS),
    text("ssl.quorum.keyStore.password", "", "Its password.").not_yet(PEERS),
    text("ssl.quorum.keyStore.passwordPath", "", "The file of its password.").not_yet(PEERS),
    text("ssl.quorum.keyStore.type", "", "Its kind.").not_yet(PEERS),
    text("ssl.quorum.trustStore.location", "", "The file of the certificates believed.")
        .not_yet(PEERS),
    text("ssl.quorum.trustStore.password", "", "Its password.").not_yet(PEERS),
    text("ssl.quorum.trustStore.passwordPath", "", "The file of its password.").not_yet(PEERS),
    text("ssl.quorum.trustStore.type", "", "Its kind.").not_yet(PEERS),
    text("ssl.quorum.protocol", "", "The version of TLS.").not_yet(PEERS),
    text("ssl.quorum.enabledProtocols", "", "The versions allowed.").not_yet(PEERS),
    text("ssl.quorum.ciphersuites", "", "The ciphers allowed.").not_yet(PEERS),
    text("ssl.quorum.context.supplier.class", "", "The Java class that makes contexts.")
        .not_yet(PEERS),
    text("ssl.quorum.hostnameVerification", "", "Whether a server's name is checked.")
        .not_yet(PEERS),
    text("ssl.quorum.clientHostnameVerification", "", "Whether a client's name is checked.")
        .not_yet(PEERS),
    text("ssl.quorum.allowReverseDnsLookup", "", "Whether names are looked up for it.")
        .not_yet(PEERS),
    text("ssl.quorum.crl", "", "Whether revocation lists are read.").not_yet(PEERS),
    text("ssl.quorum.ocsp", "", "Whether revocation is asked for.").not_yet(PEERS),
    text("ssl.quorum.clientAuth", "", "Whether a client must show a certificate.").not_yet(PEERS),
    text("ssl.quorum.handshakeDetectionTimeoutMillis", "", "How long the first byte may take.")
        .not_yet(PEERS),
    text("ssl.sslProvider", "", "The library that does TLS.").not_yet(TLS),
];
