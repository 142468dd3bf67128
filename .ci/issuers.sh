# Sourced: installs the authorization servers of Debian that tests/issuers starts. None of them is run as a service here.
# dbconfig-no-thanks stands for the database server that Glewlwyd's package asks for otherwise.
# What was removed again still has a status, but another one.
issuers_of_debian=(glewlwyd liblemonldap-ng-portal-perl libio-string-perl libstring-random-perl)
[ "$(dpkg --status "${issuers_of_debian[@]}" 2>/dev/null | grep -c "^Status: install ok installed")" = "${#issuers_of_debian[@]}" ] || {
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    dbconfig-no-thanks "${issuers_of_debian[@]}"
}
