# The portal loads a captcha even where no page shows one, and its own needs ImageMagick.
package Lemonldap::NG::Portal::Captcha::None;

use strict;
use Mouse;

extends 'Lemonldap::NG::Portal::Main::Plugin';

sub init { return 1; }

1;
