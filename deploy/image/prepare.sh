#!/bin/sh
# What both images have beside their packages: an init, a user, and two places to write to.
set -eu

apt-get update
# Debian and Ubuntu keep one version of a package at a time, so none is named here.
apt-get install --yes --no-install-recommends tini "$@"
rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /var/cache/debconf/*-old

# torch and others ask who they are; an id without an entry would end them.
echo 'afterguard:x:10001:0:Afterguard:/cache/home:/usr/sbin/nologin' >> /etc/passwd

# Group 0 may write, since OpenShift runs containers under an id of its own choice and group 0.
install -d -o 10001 -g 0 -m 2775 /cache /cache/home
install -d -o 0 -g 0 -m 0755 /etc/afterguard /usr/share/doc/afterguard
# Left open by Debian for everybody; here only /tmp is.
find / -xdev -type d -perm -0002 ! -path /tmp ! -path '/proc/*' ! -path '/dev/*' \
    -exec chmod go-w {} +
