# Sourced: installs the authorization servers of Debian that tests/issuers starts. None of them is run as a service here.
# dbconfig-no-thanks stands for the database server that Glewlwyd's package asks for otherwise.
dpkg --status glewlwyd liblemonldap-ng-portal-perl libio-string-perl libstring-random-perl >/dev/null 2>&1 || {
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    dbconfig-no-thanks glewlwyd liblemonldap-ng-portal-perl libio-string-perl libstring-random-perl
}
